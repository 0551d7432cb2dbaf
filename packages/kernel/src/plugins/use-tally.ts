import { resolve } from 'node:path'
import { UseEntry } from './use-entry.ts'
import type { Opened } from './permissions.ts'
import type { Clock } from '../ports.ts'
import type { PermissionUse, Use, UseVerb } from '../permission-use.ts'

/** Places of the network and permissions of the host's own are seen by the host. */
const toldByPlugins: readonly UseVerb[] = ['fs:read', 'fs:write', 'exec']

/** What is kept of one version of a plugin. */
export interface VersionUses {
  /** By permission, as the manifest writes it. */
  readonly entries: Map<string, UseEntry>
  /** Since when uses are watched without a break, by what they are of. */
  readonly watched: Map<UseVerb, number>
  /** What permissions opened when it was last started. */
  readonly opens: Map<string, readonly string[]>
}

/** A permission, and one thing that it opens. */
export interface Coverage extends Opened {
  readonly permission: string
}

/** Counts what one generation uses towards the permissions of its version. A use that no permission covers is none of theirs. */
export class UseTally {
  readonly #uses: VersionUses
  readonly #clock: Clock
  readonly #changed: () => void
  /** What this generation used without being told of it, perhaps before its uses were watched. */
  readonly #unseen = new Set<UseVerb>()
  readonly #hosts = new Map<string, UseEntry>()
  /** By verb and what it opens. */
  readonly #exact = new Map<string, UseEntry>()
  /** The longest paths first: a use counts for the permission that fits it most closely. */
  readonly #paths: readonly (Coverage & { readonly entry: UseEntry })[]

  constructor(uses: VersionUses, covered: readonly Coverage[], { clock, changed }: { clock: Clock; changed: () => void }) {
    this.#uses = uses
    this.#clock = clock
    this.#changed = changed
    const entries = covered.map((one) => ({ ...one, entry: this.#entry(one.permission) }))
    for (const { verb, value, entry } of entries) {
      if (verb === 'host') this.#hosts.set(value, entry)
      else this.#exact.set(keyOf(verb, value), entry)
    }
    this.#paths = entries
      .filter(({ verb }) => verb === 'fs:read' || verb === 'fs:write')
      .toSorted((one, other) => other.value.length - one.value.length)
  }

  /** A permission of the host's own was needed, and there. Counted with each call that takes one. */
  host(permission: string): void {
    this.#note(this.#hosts.get(permission), 'host')
  }

  note({ verb, what, by }: Use): void {
    const isPath = verb === 'fs:read' || verb === 'fs:write'
    // what is written otherwise than it is would be taken for another place
    if (isPath && resolve(what) !== what) return
    const entry =
      this.#exact.get(keyOf(verb, what)) ?? this.#paths.find((one) => one.verb === verb && lies(what, one.value))?.entry
    this.#note(entry, by)
    // a program may read and write all that the plugin may, and tells nobody
    if (verb === 'exec' && entry !== undefined) this.#unwatch(['fs:read', 'fs:write'])
    if (isPath || verb === 'net:connect') entry?.see(verb, what)
  }

  /** Uses of these are told, and of nothing else. */
  watches(told: readonly UseVerb[]): void {
    const { watched } = this.#uses
    const verbs = told.filter((verb) => !this.#unseen.has(verb))
    for (const verb of watched.keys()) if (!verbs.includes(verb)) watched.delete(verb)
    for (const verb of verbs) if (!watched.has(verb)) watched.set(verb, this.#clock.now())
    this.#changed()
  }

  /** Of what plugins tell of themselves something was left out: nobody can say any more what was never used. */
  untold(): void {
    this.#unwatch(toldByPlugins)
  }

  #unwatch(verbs: readonly UseVerb[]): void {
    const { watched } = this.#uses
    const had = watched.size
    for (const verb of verbs) {
      this.#unseen.add(verb)
      watched.delete(verb)
    }
    if (watched.size < had) this.#changed()
  }

  #entry(permission: string): UseEntry {
    const entry = this.#uses.entries.get(permission) ?? new UseEntry()
    this.#uses.entries.set(permission, entry)
    return entry
  }

  #note(entry: UseEntry | undefined, by: PermissionUse['by']): void {
    if (entry === undefined) return
    entry.note(by, this.#clock.now())
    this.#changed()
  }
}

/** Names of hosts are the same in any case. */
function keyOf(verb: UseVerb, value: string): string {
  return `${verb} ${verb === 'net:connect' ? value.toLowerCase() : value}`
}

function lies(path: string, within: string): boolean {
  return path === within || path.startsWith(within.endsWith('/') ? within : `${within}/`)
}
