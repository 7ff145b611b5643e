// Calls of the server. Addresses are relative, so that the page works below any path.
const API = new URL('api/v1/', globalThis.document?.baseURI ?? 'http://localhost/')

export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: the server could not be reached
    message: string,
    readonly field: string | null = null,
    readonly body: unknown = null, // what else the answer held: the newer state of a 409, the conflict of a 422
  ) {
    super(message)
  }
}

type Query = Record<string, string | number | undefined | null>

export function address(path: string, query: Query = {}): string {
  const url = new URL(path, API)
  for (const [key, value] of Object.entries(query))
    if (value !== undefined && value !== null) url.searchParams.set(key, String(value))
  return url.href
}

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return (await answer(address(path, query), { signal })).json() as Promise<T>
}

export async function post<T>(path: string, body: unknown = {}, signal?: AbortSignal): Promise<T> {
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal }
  return (await answer(address(path), init)).json() as Promise<T>
}

export async function bytes(path: string, query: Query = {}, signal?: AbortSignal): Promise<ArrayBuffer> {
  return (await answer(address(path, query), { signal })).arrayBuffer()
}

/** Calls like `fetch`; a notebook has its own, which asks the kernel. */
export type Ask = (url: string, init?: RequestInit) => Promise<Response>
let ask: Ask = (url, init) => fetch(url, { credentials: 'same-origin', ...init })

export function askThrough(other: Ask): void {
  ask = other
}

/** Any answer that is no error, such as a file. */
export async function answer(url: string, init: RequestInit = {}): Promise<Response> {
  let response: Response
  try {
    response = await ask(url, init)
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error
    throw new ApiError(0, 'The server does not answer. Is `tierwise serve` still running?')
  }
  if (response.ok) return response
  const body = await response.json().catch(() => null)
  const given = body as { error?: unknown; detail?: unknown; field?: string } | null
  const message = typeof given?.error === 'string' ? given.error : `${response.status} ${response.statusText}`
  throw new ApiError(response.status, message, given?.field ?? null, body)
}

export function aborted(error: unknown): boolean {
  return (error as Error)?.name === 'AbortError'
}
