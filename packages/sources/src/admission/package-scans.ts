import { readdir, readFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import type { AuditTrail, Store } from '@backplane/kernel'
import type { Manifest, ScannedPackage } from '@backplane/sdk'
import { scanAside, scanRevision, type Finding, type ScannedFile } from '@backplane/trust'
import pLimit from 'p-limit'

/** Something of the operator's that looks through packages. */
export interface PackageScanner {
  readonly name: string
  /** How long what it found of the same bytes counts, ms: what it knows grows. */
  readonly freshMs: number
  /** What it is, for the audit log; where that changes, what it found before does not count. */
  readonly by: () => string
  /** The id of the plugin it is; undefined for a command. */
  readonly plugin?: string
  readonly scan: (about: ScannedPackage, files: readonly ScannedFile[], signal: AbortSignal) => Promise<readonly Finding[]>
}

/** A package that is to be looked through, by what it says of itself. */
export type PackageToScan = Pick<Manifest, 'id' | 'version' | 'dependencies' | 'requires'> & Pick<ScannedPackage, 'digest'>

/** What scanning works with. */
export interface PackageScansParts {
  readonly store: Store
  /** Where in the store answers are kept: the host's name, a colon, `scans`. */
  readonly namespace: string
  readonly scanners: readonly PackageScanner[]
  /** Told each time that one of {@link scanners} was asked. */
  readonly trail?: AuditTrail | undefined
}

interface Kept {
  readonly atMs: number
  readonly findings: readonly Finding[]
}

/** What could not be looked through is looked at anew the next time, as whoever was to look may be there by then. */
const couldNotLook = /\/not-(?:run|scanned)$/

/** Answers that are kept; beyond, all are forgotten and found again. */
const mostKept = 20_000

/**
 * What the built-in scanner and those of the operator find in packages. Answers are kept by the digest of the package, so that
 * what was not changed is not looked through again, also after a restart; one that could not look is asked again.
 *
 * A plugin that is a scanner itself is looked through by the built-in scanner and by commands, and by no plugin: one would wait for
 * the other. Whether it counts is decided by who signed it, or by its digest.
 */
export class PackageScans {
  readonly #store: Store
  readonly #namespace: string
  readonly #scanners: readonly PackageScanner[]
  readonly #trail: AuditTrail | undefined
  readonly #builtIn = scanAside()

  private constructor({ store, namespace, scanners, trail }: PackageScansParts) {
    this.#store = store
    this.#namespace = namespace
    this.#scanners = scanners
    this.#trail = trail
  }

  static async open(parts: PackageScansParts): Promise<PackageScans> {
    const { store, namespace } = parts
    if ((await store.keys(namespace, '')).length > mostKept) await store.clear(namespace)
    return new PackageScans(parts)
  }

  /** `files` is asked for only where somebody has to look. Rejects with the signal's reason, and with what `files` or the store throw. */
  async of(about: PackageToScan, files: () => Promise<readonly ScannedFile[]>, signal: AbortSignal): Promise<readonly Finding[]> {
    let read: Promise<readonly ScannedFile[]> | undefined
    const all = (): Promise<readonly ScannedFile[]> => (read ??= files())
    const { id, version, digest } = about
    const found = await this.#found(`static@${scanRevision} ${digest}`, Infinity, async () => this.#builtIn(await all(), signal))
    const others: Finding[] = []
    const own = this.#scanners.find(({ plugin }) => plugin === id)
    for (const scanner of this.#scanners) {
      if (own !== undefined && scanner.plugin !== undefined) continue
      const key = `${scanner.name} ${scanner.by()} ${digest}`
      const scan = async (): Promise<readonly Finding[]> =>
        this.#noted(scanner, about, await scanner.scan({ id, version, digest }, await all(), signal))
      others.push(...(await this.#found(key, scanner.freshMs, scan)))
    }
    return [...found, ...others, ...(own === undefined ? [] : leaning(own, about))]
  }

  async #found(key: string, freshMs: number, scan: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
    const text = await this.#store.get(this.#namespace, key)
    const kept = text === undefined ? undefined : (JSON.parse(text) as Kept)
    const ageMs = kept === undefined ? Infinity : Math.abs(Date.now() - kept.atMs)
    if (kept !== undefined && (freshMs === Infinity || ageMs < freshMs)) return kept.findings
    const findings = await scan()
    if (findings.some(({ rule }) => couldNotLook.test(rule))) return findings
    await this.#store.set(this.#namespace, key, JSON.stringify({ atMs: Date.now(), findings } satisfies Kept))
    return findings
  }

  #noted({ name, plugin, by }: PackageScanner, about: PackageToScan, findings: readonly Finding[]): readonly Finding[] {
    const { id, version, digest } = about
    const notRun = findings.find(({ rule }) => rule === `${name}/not-run`)
    const rules = [...new Set(findings.map(({ rule }) => rule))].slice(0, 5).join(', ')
    this.#trail?.note({
      actor: plugin === undefined ? { kind: 'host', name: 'host' } : { kind: 'plugin', name: plugin },
      action: 'package.scan',
      subject: `${id} ${version}`,
      plugin: id,
      outcome: notRun === undefined ? 'ok' : 'failed',
      reason: notRun?.message ?? (findings.length === 0 ? 'it found nothing' : `${findings.length} findings: ${rules}`),
      details: { scanner: name, by: by(), digest, findings: findings.length },
    })
    return findings
  }
}

/** A scanner that leans on other plugins would wait for what waits for it. */
function leaning({ name }: PackageScanner, { id, dependencies = [], requires }: PackageToScan): readonly Finding[] {
  const needed = [...dependencies.map((one) => one.id), ...Object.keys(requires.capabilities ?? {})]
  if (needed.length === 0) return []
  const message = `${id} is the scanner ${name} and needs ${needed.join(', ')}, which would wait for it to be looked through`
  const fix = 'Take a version of it that needs no other plugin'
  return [{ rule: `${name}/needs-others`, severity: 'danger', file: 'plugin.json', message, fix }]
}

/** Every file below a folder that nobody else writes to. */
export async function filesBelow(folder: string): Promise<readonly ScannedFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  // each is a descriptor as long as it is read, and there may be thousands
  const gate = pLimit(8)
  return Promise.all(
    paths.toSorted().map(async (path) => ({
      path: relative(folder, path).replaceAll(sep, '/'),
      bytes: await gate(() => readFile(path)),
    })),
  )
}
