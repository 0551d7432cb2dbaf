import { readdir, readFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import type { Store } from '@backplane/kernel'
import { commandScanner, scanAside, scanRevision, type Finding, type ScannedFile, type ScannerCommand } from '@backplane/trust'

/** A command of the operator's that looks through packages. */
export interface PackageScanner extends ScannerCommand {
  /** How long what it found of the same bytes counts, ms: what it knows grows. */
  readonly freshMs: number
}

interface Kept {
  readonly atMs: number
  readonly findings: readonly Finding[]
}

const namespace = 'hypersdk:scans'
/** Answers that are kept; beyond, all are forgotten and found again. */
const mostKept = 20_000

/**
 * What the built-in scanner and those of the operator find in packages. Answers are kept by the digest of the package, so that
 * what was not changed is not looked through again, also after a restart; one that could not look is asked again.
 */
export class PackageScans {
  readonly #store: Store
  readonly #scanners: readonly PackageScanner[]
  readonly #builtIn = scanAside()

  private constructor(store: Store, scanners: readonly PackageScanner[]) {
    this.#store = store
    this.#scanners = scanners
  }

  static async open(store: Store, scanners: readonly PackageScanner[]): Promise<PackageScans> {
    if ((await store.keys(namespace, '')).length > mostKept) await store.clear(namespace)
    return new PackageScans(store, scanners)
  }

  /** `files` is asked for only where somebody has to look. Rejects with the signal's reason, and with what `files` or the store throw. */
  async of(digest: string, files: () => Promise<readonly ScannedFile[]>, signal: AbortSignal): Promise<readonly Finding[]> {
    let read: Promise<readonly ScannedFile[]> | undefined
    const all = (): Promise<readonly ScannedFile[]> => (read ??= files())
    const found = await this.#found(`static@${scanRevision} ${digest}`, Infinity, async () => this.#builtIn(await all(), signal))
    const others: Finding[] = []
    for (const scanner of this.#scanners) {
      const key = `${scanner.name} ${JSON.stringify(scanner.argv)} ${digest}`
      const scan = commandScanner(scanner)
      others.push(...(await this.#found(key, scanner.freshMs, async () => scan(await all(), signal))))
    }
    return [...found, ...others]
  }

  async #found(key: string, freshMs: number, scan: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
    const text = await this.#store.get(namespace, key)
    const kept = text === undefined ? undefined : (JSON.parse(text) as Kept)
    const ageMs = kept === undefined ? Infinity : Math.abs(Date.now() - kept.atMs)
    if (kept !== undefined && (freshMs === Infinity || ageMs < freshMs)) return kept.findings
    const findings = await scan()
    if (findings.some(({ rule }) => /\/not-(?:run|scanned)$/.test(rule))) return findings
    await this.#store.set(namespace, key, JSON.stringify({ atMs: Date.now(), findings } satisfies Kept))
    return findings
  }
}

/** Every file below a folder that nobody else writes to. */
export async function filesBelow(folder: string): Promise<readonly ScannedFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Promise.all(
    paths.toSorted().map(async (path) => ({
      path: relative(folder, path).replaceAll(sep, '/'),
      bytes: await readFile(path),
    })),
  )
}
