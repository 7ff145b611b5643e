// What a notebook runs: a frame in the cell. The page's styles and keys stay inside it, those of the notebook outside.
import type { AnyModel } from './anywidget'
import type { Frame, FromKernel, Host, Shown } from './host'

interface Traits {
  view: Host['view']
  height: number
  _shown: Partial<Shown>
}
type Code = [script: DataView<ArrayBuffer>, style: DataView<ArrayBuffer>]

export default {
  render({ model, el }: { model: AnyModel<Traits>; el: HTMLElement }): () => void {
    const id = crypto.randomUUID?.() ?? String(Math.random())
    const ends: (() => void)[] = []
    const on = (name: string, callback: (...given: never[]) => void) => {
      model.on(name, callback)
      ends.push(() => model.off(name, callback))
    }
    const host: Host = {
      view: model.get('view'),
      send: (message) => model.send(message),
      hear: (callback) => on('msg:custom', callback),
      shown(callback) {
        const tell = () => model.get('_shown').mask !== undefined && callback(model.get('_shown') as Shown)
        on('change:_shown', tell)
        tell()
      },
      theme: (callback) => ends.push(followTheme(callback)),
    }
    const frame = Object.assign(document.createElement('iframe'), { title: 'tierwise', host }) as Frame
    Object.assign(frame.style, { width: '100%', height: `${model.get('height')}px`, border: '0', display: 'block' })
    on('change:height', () => {
      frame.style.height = `${model.get('height')}px`
    })
    host.hear((message: FromKernel, buffers) => {
      if (message.kind === 'code' && message.view === id && !frame.srcdoc) frame.srcdoc = page(buffers as Code)
    })
    el.append(frame)
    host.send({ kind: 'open', view: id })
    return () => {
      host.send({ kind: 'close', view: id })
      for (const end of ends) end()
      frame.remove()
    }
  },
}

function page([script, style]: Code): string {
  const url = (content: DataView<ArrayBuffer>, type: string) => URL.createObjectURL(new Blob([content], { type }))
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="${url(style, 'text/css')}"><body><script type="module" src="${url(script, 'text/javascript')}"></script>`
}

/** JupyterLab and VS Code say in the body how they look; elsewhere the system decides. */
function followTheme(callback: (dark: boolean) => void): () => void {
  const { body } = document
  const system = matchMedia('(prefers-color-scheme: dark)')
  const tell = () => {
    const light = body.dataset.jpThemeLight
    if (light !== undefined) callback(light === 'false')
    else if (/\bvscode-(dark|high-contrast)\b/.test(body.className)) callback(true)
    else callback(body.classList.contains('vscode-light') ? false : system.matches)
  }
  const watch = new MutationObserver(tell)
  watch.observe(body, { attributes: true, attributeFilter: ['class', 'data-jp-theme-light'] })
  system.addEventListener('change', tell)
  tell()
  return () => {
    watch.disconnect()
    system.removeEventListener('change', tell)
  }
}
