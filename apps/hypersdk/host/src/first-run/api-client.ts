import { readFile } from 'node:fs/promises'
import { EventSourceParserStream } from 'eventsource-parser/stream'

/** One event of a stream. */
export interface StreamEvent {
  readonly event: string
  readonly data: unknown
}

/** Calls the daemon's REST API over TCP with its token, as any other program would. */
export class ApiClient {
  readonly #url: string
  readonly #token: string

  constructor(url: string, token: string) {
    this.#url = url
    this.#token = token
  }

  static async withTokenFile(url: string, tokenPath: string): Promise<ApiClient> {
    return new ApiClient(url, (await readFile(tokenPath, 'utf8')).trim())
  }

  /** Answers the JSON of a successful call; else throws with what the API said. */
  async json(path: string, body?: unknown): Promise<unknown> {
    const response = await this.#fetch(path, body)
    return response.json()
  }

  /** Events until the stream ends. Source: WHATWG HTML §9.2. */
  async *events(path: string): AsyncGenerator<StreamEvent> {
    const response = await this.#fetch(path)
    const messages = response.body?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
    for await (const { event = 'message', data } of messages ?? []) yield { event, data: JSON.parse(data) }
  }

  async #fetch(path: string, body?: unknown): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' }
    const request = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) }
    const response = await fetch(new URL(path, this.#url), request)
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
    return response
  }
}
