// The views in a notebook: what the notebook runs (widget.js), and what runs in the frame of its cell (frame.js, frame.css).
// Each is one file, because a notebook loads them as texts; hence a build each: `vite build -c vite.notebook.ts --mode frame`.
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  publicDir: false,
  build: {
    outDir: '../src/tierwise/server/static/notebook', // within that of the page, whose build comes first and empties it
    emptyOutDir: false,
    target: 'es2023',
    cssCodeSplit: false,
    modulePreload: false,
    rolldownOptions: {
      input: { [mode]: `src/notebook/${mode}.ts` },
      preserveEntrySignatures: 'strict', // of the widget: a notebook asks for its default export
      output: { codeSplitting: false, entryFileNames: '[name].js', assetFileNames: `${mode}[extname]` },
    },
  },
}))
