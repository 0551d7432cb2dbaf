import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import type { PluginLogLine } from '@backplane/kernel'
import type { LogLevel } from '@backplane/sdk'
import { RateGate } from '@backplane/rpc'

/** How much of what a plugin prints is taken. */
export interface OutputLimits {
  /** Read from each stream; a plugin that prints more is held back. Default 262,144 a second, 1,048,576 at once. */
  readonly bytesPerSecond: number
  readonly burstBytes: number
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
  bytesPerSecond: 262_144,
  burstBytes: 1_048_576,
  linesPerSecond: 200,
  burstLines: 2_000,
  lineLength: 8_192,
  lastLines: 20,
})

/** Turns what a plugin prints and logs into log lines of bounded number and size, and keeps the last printed ones. */
export class PluginOutput {
  readonly #limits: OutputLimits
  readonly #lines: RateGate
  readonly #last: string[] = []
  #write: ((line: PluginLogLine) => void) | undefined
  #early: PluginLogLine[] = []
  #dropped = 0
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

  /** Where lines go from now on; those that came before are written first. */
  attach(write: (line: PluginLogLine) => void): void {
    this.#write = write
    for (const line of this.#early.splice(0)) write(line)
  }

  /** Passes a line on, within the rate. */
  readonly log = (line: PluginLogLine): void => {
    if (!this.#lines.take(1)) {
      this.#dropped += 1
      return
    }
    this.#tellDropped()
    this.#pass(line)
  }

  /** Says how many lines were dropped, when some were and nobody was told yet. */
  finish(): void {
    this.#tellDropped()
  }

  /** Reads a stream to its end, as lines of `level`. */
  read(stream: Readable, level: LogLevel): void {
    const { bytesPerSecond, burstBytes, lineLength } = this.#limits
    const bytes = new RateGate(bytesPerSecond, burstBytes)
    const decoder = new StringDecoder('utf8')
    let rest = ''
    stream.on('data', (chunk: Buffer) => {
      const lines = (rest + decoder.write(chunk)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.#printLine(line, level)
      for (; rest.length > lineLength; rest = rest.slice(lineLength)) this.#printLine(rest.slice(0, lineLength), level)
      bytes.take(chunk.length)
      const waitMs = bytes.waitMs()
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
    if (this.#dropped === 0) return
    const message = `${this.#dropped} lines were dropped: more than ${this.#limits.linesPerSecond} a second`
    this.#dropped = 0
    this.#pass({ level: 'warn', message })
  }

  #pass(line: PluginLogLine): void {
    if (this.#write !== undefined) this.#write(line)
    else if (this.#early.length < this.#limits.lastLines) this.#early.push(line)
  }
}
