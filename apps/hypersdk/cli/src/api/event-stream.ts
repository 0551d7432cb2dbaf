/** One event of a stream; `data` is the daemon's JSON. */
export interface ApiEvent {
  /** What to resume from. */
  readonly id: string | undefined
  readonly event: string
  readonly data: unknown
}

/** Reads server-sent events until the bytes end; a broken connection ends them too. Source: WHATWG HTML §9.2. */
export async function* readEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ApiEvent> {
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for await (const chunk of bytes) {
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const data = field(block, 'data')
        if (data !== undefined)
          yield { id: field(block, 'id'), event: field(block, 'event') ?? 'message', data: JSON.parse(data) }
      }
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw error
  }
}

function field(block: string, name: string): string | undefined {
  return block
    .split('\n')
    .find((line) => line.startsWith(`${name}: `))
    ?.slice(name.length + 2)
}
