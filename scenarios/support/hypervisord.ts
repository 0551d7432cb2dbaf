import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'node:test'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { compiledCode, isInstalled, temporaryDirectory } from '@backplane/testing'

const program = fileURLToPath(new URL('../../apps/hypersdk/host/src/hypervisord.ts', import.meta.url))

/** What the API answered. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  readonly body: any
}

/** What is sent with a request. */
export interface Body {
  readonly text: string | Uint8Array
  /** Default JSON. */
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The places of one test's daemon. */
export interface Places {
  readonly root: string
  /** Watched for plugins. */
  readonly plugins: string
  /** Given to the provider instance `slow` as metadata.directory. */
  readonly control: string
  readonly exports: string
  readonly socket: string
  readonly config: string
  /** Ended with the test, before the directories go. */
  readonly daemons: Set<Hypervisord>
}

/**
 * Makes the directories and a configuration; `extra` is YAML put behind it. Where there is no bubblewrap, plugins run
 * without a sandbox; what a sandbox is needed for is tested elsewhere, and skipped there by name.
 */
export async function makePlaces(t: TestContext, extra = ''): Promise<Places> {
  const daemons = new Set<Hypervisord>()
  t.after(() => Promise.all([...daemons].map((daemon) => daemon.kill())))
  const root = await temporaryDirectory(t)
  const at = (name: string): string => join(root, name)
  const places = {
    root,
    plugins: at('plugins'),
    control: at('control'),
    exports: at('exports'),
    socket: at('d.sock'),
    config: at('config.yaml'),
    daemons,
  }
  await Promise.all([places.plugins, places.control, places.exports].map((path) => mkdir(path)))
  // A sandboxed plugin is a user of its own where the daemon is root.
  await chmod(places.control, 0o777)
  const text = `data_directory: ${at('data')}
server: { unix_socket: ${places.socket}, listen: false }
exports: { directory: ${places.exports}, drain_timeout: 20s, retry_delay: 50ms }
providers:
  slow: { metadata: { directory: ${places.control} } }
`
  await writeFile(
    places.config,
    `${text}${isInstalled('bwrap') ? extra : extra.replace('plugins: {', 'plugins: { isolation: process,')}`,
  )
  return places
}

/** A daemon in a process of its own, spoken to over its unix socket. Ended with the test. */
export class Hypervisord {
  readonly places: Places
  readonly child: ChildProcess
  #output = ''

  private constructor(places: Places, child: ChildProcess) {
    this.places = places
    this.child = child
    child.stdout?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()))
    child.stderr?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()))
  }

  /** Settles when the daemon answers that it is ready. `within` is a command that runs it, `more` are flags of its own. */
  static async start(
    places: Places,
    variables: Readonly<Record<string, string>> = {},
    within: readonly string[] = [],
    more: readonly string[] = ['--development'],
  ): Promise<Hypervisord> {
    const flags = ['--disable-sigusr1', '--conditions=@backplane/source', program, ...more]
    const env = { ...compiledCode, PATH: process.env['PATH'], HOME: places.root, ...variables }
    const [command, ...args] = [...within, process.execPath, ...flags, '--config', places.config]
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
    const daemon = new Hypervisord(places, child)
    places.daemons.add(daemon)
    await daemon.until(async () => {
      if (child.exitCode !== null) throw new Error(`hypervisord ended with ${child.exitCode}:\n${daemon.output}`)
      return (await daemon.get('/readyz').catch(() => undefined))?.status === 200
    })
    return daemon
  }

  /** Changes the configuration before a start. */
  static async configure(places: Places, change: (text: string) => string): Promise<void> {
    await writeFile(places.config, change(await readFile(places.config, 'utf8')))
  }

  /** Everything it wrote. */
  get output(): string {
    return this.#output
  }

  get(path: string): Promise<Answer> {
    return this.send('GET', path)
  }

  post(path: string, body?: unknown): Promise<Answer> {
    return this.send('POST', path, body === undefined ? undefined : { text: JSON.stringify(body) })
  }

  async send(method: string, path: string, body?: Body): Promise<Answer> {
    const type = body === undefined ? {} : { 'content-type': body.type ?? 'application/json' }
    const headers = { ...type, ...body?.headers }
    const outgoing = request({
      socketPath: this.places.socket,
      method,
      path,
      headers,
      agent: false,
      signal: AbortSignal.timeout(60_000),
    })
    outgoing.end(body?.text)
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of incoming.setEncoding('utf8')) text += chunk as string
    return {
      status: incoming.statusCode ?? 0,
      headers: incoming.headers,
      text,
      body: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text,
    }
  }

  /** Events of a stream, until it ends or the caller leaves. */
  async *events(path: string, lastEventId?: number): AsyncGenerator<{ id: number; event: string; data: unknown }> {
    const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
    const outgoing = request({ socketPath: this.places.socket, path, headers, agent: false }).end()
    try {
      const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
      const messages = Readable.toWeb(incoming).pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
      for await (const { id, event = '', data } of messages) yield { id: Number(id), event, data: JSON.parse(data) }
    } finally {
      outgoing.destroy()
    }
  }

  /** Submits one job and answers its id. */
  async submit(job: Readonly<Record<string, unknown>>): Promise<string> {
    const { status, body, text } = await this.post('/jobs/submit', job)
    assert.equal(status, 202, text)
    return body.job_ids[0]
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  async job(id: string): Promise<any> {
    return (await this.get(`/jobs/${id}`)).body
  }

  /** The job once it is final. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  async ended(id: string): Promise<any> {
    await this.until(async () => ['completed', 'failed', 'cancelled'].includes((await this.job(id)).status))
    return this.job(id)
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  async plugin(id: string): Promise<any> {
    const { status, body } = await this.get(`/api/plugins/${id}`)
    return status === 200 ? body : undefined
  }

  /** Asks again and again until it is so; gives up after 30 s with what the daemon wrote. */
  async until(condition: () => Promise<boolean>): Promise<void> {
    const givenUpAtMs = Date.now() + 30_000
    while (!(await condition())) {
      if (Date.now() > givenUpAtMs) throw new Error(`it never came to be: ${condition.toString()}\n${this.output}`)
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }

  /** Asks it to stop and answers its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill(signal)
      await once(this.child, 'exit')
    }
    return this.child.exitCode
  }

  /** As kill -9 does. */
  async kill(): Promise<void> {
    await this.stop('SIGKILL')
  }
}

/** Whether a process is there (a zombie counts as gone). */
export async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return status !== undefined && !/^\d+ \(.*\) Z/.test(status)
}
