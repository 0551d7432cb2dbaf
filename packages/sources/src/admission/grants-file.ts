import { parseStrictJson } from '@backplane/sdk/strict-json'
import { resolve } from 'node:path'
import { sourceErrors } from '../errors.ts'
import { jsonProblem } from '../json-problem.ts'
import { oneAtATime } from '../lock/one-at-a-time.ts'
import { readTextAtMost } from '../read-text-at-most.ts'
import { replaceFile } from '../replace-file.ts'

/** What was answered to a plugin that asks for permissions. Each as the manifest writes it, none in both. */
export interface PermissionAnswers {
  readonly approved: readonly string[]
  /** Kept from it: it runs without. */
  readonly withheld: readonly string[]
}

/** What somebody approved for one plugin. */
export interface Approval {
  /** As the manifest writes them. */
  readonly permissions: readonly string[]
  /** What is kept from it; absent: nothing. */
  readonly withheld?: readonly string[]
  /** Who, for people. */
  readonly by: string
  /** When, RFC 3339. */
  readonly at: string
}

/** Size of the file, bytes. */
const defaultMostBytes = 16 * 1024 * 1024
/** Nesting of the file's values. */
const depthLimit = 6

/**
 * `grants.json`: what was approved for plugins in folders, and withheld from these and the host's own; what is installed has it in
 * its lock. A file for people and for version control:
 * `{"grantsVersion": 1, "plugins": {"acme/s3": {"permissions": […], "withheld": […], "by": "ops", "at": "2026-01-01T00:00:00Z"}}}`.
 * Kept in memory; {@link load} reads it again.
 */
export class GrantsFile {
  readonly #path: string
  readonly #mostBytes: number
  #plugins: Readonly<Record<string, Approval>> = {}

  /** A file of more than `mostBytes` (default 16 MiB) is `GRANTS_INVALID`. */
  constructor(path: string, mostBytes: number = defaultMostBytes) {
    this.#path = resolve(path)
    this.#mostBytes = mostBytes
  }

  get path(): string {
    return this.#path
  }

  /** All approvals, by plugin id. */
  get approvals(): Readonly<Record<string, Approval>> {
    return this.#plugins
  }

  /** Undefined when nobody approved anything for it. */
  permissionsOf(id: string): readonly string[] | undefined {
    return Object.hasOwn(this.#plugins, id) ? this.#plugins[id]?.permissions : undefined
  }

  /** Reads the file; one that is not there approves nothing. On an error, what was read before stays. Errors: `GRANTS_INVALID`. */
  async load(): Promise<void> {
    this.#plugins = await read(this.#path, this.#mostBytes)
  }

  /** What is kept from a plugin. */
  withheldFrom(id: string): readonly string[] {
    return (Object.hasOwn(this.#plugins, id) ? this.#plugins[id]?.withheld : undefined) ?? none
  }

  /** Approves exactly these permissions for a plugin, instead of what was approved before. Durable when it settles. */
  approve(id: string, permissions: readonly string[], by: string, signal: AbortSignal): Promise<void> {
    return this.permit(id, (answers) => ({ ...answers, approved: permissions }), by, signal)
  }

  /**
   * Answers to what a plugin asks for: `permitted` is told what the file says, while nobody else changes it, and answers what is
   * to be; nothing at all forgets the plugin. What is withheld is not approved. Durable when it settles.
   */
  permit(
    id: string,
    permitted: (answers: PermissionAnswers) => PermissionAnswers,
    by: string,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#change((plugins) => {
      const { [id]: before, ...others } = plugins
      const next = inOrder(permitted({ approved: before?.permissions ?? none, withheld: before?.withheld ?? none }))
      if (next.approved.length === 0 && next.withheld.length === 0) return others
      const withheld = next.withheld.length === 0 ? {} : { withheld: next.withheld }
      return { ...others, [id]: { permissions: next.approved, ...withheld, by, at: new Date().toISOString() } }
    }, signal)
  }

  #change(
    change: (plugins: Readonly<Record<string, Approval>>) => Readonly<Record<string, Approval>>,
    signal: AbortSignal,
  ): Promise<void> {
    return oneAtATime(
      this.#path,
      async () => {
        const plugins = change(await read(this.#path, this.#mostBytes))
        const sorted = Object.fromEntries(Object.entries(plugins).sort(([one], [other]) => (one < other ? -1 : 1)))
        await replaceFile(this.#path, `${JSON.stringify({ grantsVersion: 1, plugins: sorted }, undefined, 2)}\n`)
        this.#plugins = sorted
      },
      signal,
    )
  }
}

const none: readonly string[] = Object.freeze([])

/** Sorted, each once; what is withheld is not approved. */
export function inOrder({ approved, withheld }: PermissionAnswers): PermissionAnswers {
  const kept = new Set(withheld)
  return { approved: [...new Set(approved)].filter((one) => !kept.has(one)).sort(), withheld: [...kept].sort() }
}

async function read(path: string, mostBytes: number): Promise<Readonly<Record<string, Approval>>> {
  const reading = await readTextAtMost(path, mostBytes)
  if (reading.kind === 'absent') return {}
  if (reading.kind === 'refused') {
    throw sourceErrors.error('GRANTS_INVALID', { path, line: 1, column: 1, problem: reading.problem })
  }
  const { text } = reading
  const parsed = parseStrictJson(text, depthLimit)
  if (parsed.kind !== 'value') throw sourceErrors.error('GRANTS_INVALID', { path, ...jsonProblem(text, parsed) })
  const problem = problemOf(parsed.value)
  if (problem !== undefined) throw sourceErrors.error('GRANTS_INVALID', { path, line: 1, column: 1, problem })
  return (parsed.value as { readonly plugins: Readonly<Record<string, Approval>> }).plugins
}

function problemOf(value: unknown): string | undefined {
  if (Reflect.get(Object(value), 'grantsVersion') !== 1) return 'grantsVersion must be 1'
  const plugins: unknown = Reflect.get(Object(value), 'plugins')
  if (typeof plugins !== 'object' || plugins === null) return 'plugins must be an object'
  for (const [id, approval] of Object.entries(plugins)) {
    const { permissions, withheld = [] } = Object(approval) as Readonly<Record<string, unknown>>
    for (const [name, list] of Object.entries({ permissions, withheld })) {
      const isList = Array.isArray(list) && list.every((each) => typeof each === 'string')
      if (!isList) return `${name} of ${id} must be a list of strings`
    }
  }
  return undefined
}
