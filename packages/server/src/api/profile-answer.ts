import type { PluginDirectory, ProfileKind, ProfileOptions } from '@backplane/kernel'

/**
 * Answers with a profile, passed on as fast as the client reads. The answer begins with the first bytes, so that what goes
 * wrong before them is an error with its own status; what goes wrong later breaks the connection. A client that goes ends
 * the profile.
 */
export async function profileAnswer(
  plugins: PluginDirectory,
  id: string,
  { kind, ...options }: ProfileOptions & { readonly kind: ProfileKind },
): Promise<Response> {
  const gone = new AbortController()
  const signal = AbortSignal.any([options.signal, gone.signal])
  const pieces = plugins.profile(id, kind, { ...options, signal })[Symbol.asyncIterator]()
  let first: IteratorResult<Uint8Array> | undefined = await pieces.next()
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull: async (controller) => {
        const { done, value } = first ?? (await pieces.next())
        first = undefined
        if (done === true) controller.close()
        else controller.enqueue(new Uint8Array(value))
      },
      cancel: async () => {
        gone.abort()
        await pieces.return?.()
      },
    },
    { highWaterMark: 0 },
  )
  const name = `${id.replaceAll('/', '-')}-${Date.now()}.${kind === 'cpu' ? 'cpuprofile' : 'heapsnapshot'}`
  const headers = { 'content-disposition': `attachment; filename="${name}"`, 'cache-control': 'no-store' }
  return new Response(body, { headers: { 'content-type': 'application/octet-stream', ...headers } })
}
