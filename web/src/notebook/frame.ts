// What runs in the frame of a cell: the components of the page, with the kernel in place of the server.
import { mount } from 'svelte'
import { answer, askThrough } from '../lib/client'
import { listenThrough } from '../lib/events'
import { toasts } from '../lib/toast.svelte'
import { save } from '../steer/download'
import '../lib/theme.css'
import Explorer from './Explorer.svelte'
import { channel } from './kernel'

askThrough(channel.ask)
listenThrough(channel.listen)
document.addEventListener('click', download, { capture: true })
mount(Explorer, { target: document.body })

/** A link to a file of the server: here the kernel gives it. */
function download(event: MouseEvent): void {
  const link = (event.target as Element).closest<HTMLAnchorElement>('a[download]')
  if (!link || link.href.startsWith('blob:')) return
  event.preventDefault()
  fetchFile(link.href).catch((error) => toasts.error(error))
}

async function fetchFile(url: string): Promise<void> {
  const file = await answer(url)
  const name = /filename="([^"]+)"/.exec(file.headers.get('content-disposition') ?? '')?.[1]
  save(await file.blob(), name ?? 'tierwise')
}
