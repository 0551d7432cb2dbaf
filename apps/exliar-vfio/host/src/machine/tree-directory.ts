import { lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { readAttribute } from './read-file.ts'

/**
 * One directory of the machine, its links resolved once: what reads thousands of small files below `sys` and `proc` looks
 * here. Whatever cannot be read is as if it were not there: the kernel refuses attributes that a device has not.
 */
export class TreeDirectory {
  /** As the machine names it, free of links. */
  readonly path: string
  readonly #hostPath: string
  readonly #unread: ReadonlySet<string> | undefined

  /** `unread`: names of files that are not looked into. */
  constructor(path: string, hostPath: string, unread?: ReadonlySet<string>) {
    this.path = path
    this.#hostPath = hostPath
    this.#unread = unread
  }

  /** In order; empty when it cannot be read. */
  names(): readonly string[] {
    return lenient(() => readdirSync(this.#hostPath).sort()) ?? []
  }

  has(name: string): boolean {
    return lenient(() => lstatSync(this.#at(name), { throwIfNoEntry: false })) !== undefined
  }

  /** Text of a file without the white space around it. Links are not followed. */
  attribute(name: string): string | undefined {
    return this.bytes(name)?.toString('utf8').trim()
  }

  /** A page at most. */
  bytes(name: string): Buffer | undefined {
    return this.#unread?.has(name) === true ? undefined : lenient(() => readAttribute(this.#at(name)))
  }

  /** Last name of what a link points to: the driver's for `driver`. It need not exist. */
  linkName(name: string): string | undefined {
    return lenient(() => readlinkSync(this.#at(name)).replace(/\/+$/, '').split('/').at(-1))
  }

  #at(name: string): string {
    return `${this.#hostPath}/${name}`
  }
}

function lenient<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
