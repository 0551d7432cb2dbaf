import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import type { Limits, PluginLogLine } from '@backplane/kernel'
import type { LogLevel } from '@backplane/sdk'
import { RateGate } from '@backplane/rpc'

/** How much of what a plugin prints is taken, whichever plugin it is; how many bytes, its own limits say. */
export interface OutputLimits {
  /** Logged, from its output and its log together; more is dropped and counted. Default 200 a second, 2,000 at once. */
  readonly linesPerSecond: number
  readonly burstLines: number
  /** Longest line, UTF-16 units; longer ones are cut into several. Default 8,192. */
  readonly lineLength: number
  /** Lines kept to explain an exit. Default 20. */
  readonly lastLines: number
}

/** The limits unless told otherwise. */
export const defaultOutputLimits: OutputLimits = Object.freeze({
  linesPerSecond: 200,
  burstLines: 2_000,
  lineLength: 8_192,
  lastLines: 20,
})

/** Bytes read from a stream before its plugin is known, a second and at once: until then nothing of a plugin's runs. */
const unknownYet: OutputBytes = { outputBytesPerSecond: 65_536, outputBurstBytes: 1_048_576 }
/** How long after lines were dropped it is said how many, ms, unless another line comes before. */
const tellDroppedMs = 1_000

type OutputBytes = Pick<Limits, 'outputBytesPerSecond' | 'outputBurstBytes'>

/** Turns what a plugin prints and logs into log lines of bounded number and size, and keeps the last printed ones. */
export class PluginOutput {
  readonly #limits: OutputLimits
  readonly #lines: RateGate
  readonly #last: string[] = []
  #write: ((line: PluginLogLine) => void) | undefined
  #early: PluginLogLine[] = []
  #dropped = 0
  #tellingDropped: NodeJS.Timeout | undefined
  #bytes = unknownYet
  readonly #streams: { gate: RateGate }[] = []
  #outOfMemory: string | undefined

  constructor(limits: Partial<OutputLimits> = {}) {
    this.#limits = { ...defaultOutputLimits, ...limits }
    this.#lines = new RateGate(this.#limits.linesPerSecond, this.#limits.burstLines)
  }

  /** The last printed lines, oldest first. */
  get lastLines(): readonly string[] {
    return [...this.#last]
  }

  /** The line in which the engine said that its memory was used up, if it did. */
  get outOfMemory(): string | undefined {
    return this.#outOfMemory
  }

  /** Where lines go from now on, and what may come; lines that came before are written first. */
  attach(write: (line: PluginLogLine) => void, bytes: OutputBytes): void {
    this.#bytes = bytes
    for (const stream of this.#streams) stream.gate = gateOf(bytes)
    this.#write = write
    for (const line of this.#early.splice(0)) write(line)
  }

  /** Passes a line on, within the rate. */
  readonly log = (line: PluginLogLine): void => {
    if (!this.#lines.take(1)) return this.dropped(1)
    this.#tellDropped()
    this.#pass(line)
  }

  /** Lines were dropped before they came here. */
  dropped(lines: number): void {
    this.#dropped += lines
    this.#tellingDropped ??= setTimeout(() => this.#tellDropped(), tellDroppedMs).unref()
  }

  /** Says how many lines were dropped, when some were and nobody was told yet. */
  finish(): void {
    this.#tellDropped()
  }

  /** Reads a stream to its end, as lines of `level`. */
  read(stream: Readable, level: LogLevel): void {
    const { lineLength } = this.#limits
    const bytes = { gate: gateOf(this.#bytes) }
    this.#streams.push(bytes)
    const decoder = new StringDecoder('utf8')
    let rest = ''
    stream.on('data', (chunk: Buffer) => {
      const lines = (rest + decoder.write(chunk)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.#printLine(line, level)
      for (; rest.length > lineLength; rest = rest.slice(lineLength)) this.#printLine(rest.slice(0, lineLength), level)
      bytes.gate.take(chunk.length)
      const waitMs = bytes.gate.waitMs()
      if (waitMs === 0) return
      stream.pause()
      setTimeout(() => stream.resume(), waitMs).unref()
    })
    stream.on('end', () => this.#printLine(rest + decoder.end(), level))
    stream.on('error', () => undefined)
  }

  /** Takes text as if the plugin had printed it. */
  print(text: string, level: LogLevel): void {
    for (const line of text.split('\n')) this.#printLine(line, level)
  }

  #printLine(text: string, level: LogLevel): void {
    const { lineLength, lastLines } = this.#limits
    for (let line = text.trimEnd(); line !== ''; line = line.slice(lineLength)) {
      const message = line.slice(0, lineLength)
      this.#last.push(message)
      if (this.#last.length > lastLines) this.#last.shift()
      if (message.includes('JavaScript heap out of memory')) this.#outOfMemory = message
      this.log({ level, message })
    }
  }

  #tellDropped(): void {
    clearTimeout(this.#tellingDropped)
    this.#tellingDropped = undefined
    if (this.#dropped === 0) return
    const most = `${this.#limits.linesPerSecond}, or ${this.#bytes.outputBytesPerSecond} bytes, a second`
    const message = `${this.#dropped} lines were dropped: more than ${most}`
    this.#dropped = 0
    this.#pass({ level: 'warn', message })
  }

  #pass(line: PluginLogLine): void {
    if (this.#write !== undefined) this.#write(line)
    else if (this.#early.length < this.#limits.lastLines) this.#early.push(line)
  }
}

function gateOf({ outputBytesPerSecond, outputBurstBytes }: OutputBytes): RateGate {
  return new RateGate(outputBytesPerSecond, outputBurstBytes)
}
