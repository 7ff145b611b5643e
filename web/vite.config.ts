import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'
import { licences } from './licences.ts'

export default defineConfig({
  base: './', // the page may be served below any path (SSH and Jupyter proxies)
  plugins: [svelte(), licences()],
  resolve: process.env.VITEST ? { conditions: ['browser'] } : undefined,
  build: {
    outDir: '../src/tierwise/server/static',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0, // nothing becomes a data: address, so that the security policy stays strict
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    environment: 'node',
    pool: 'threads',
    maxWorkers: 1,
    isolate: false,
  },
})
