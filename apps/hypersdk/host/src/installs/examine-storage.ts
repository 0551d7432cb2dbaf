import { readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { emptyGroups } from '@backplane/runtimes'
import type { StorageFinding } from '@backplane/server'
import { examineStore, isLeftover, takeOut, type StoreFlaw } from '@backplane/sources'
import type { FetchOptions, Installer } from '@backplane/sources/install'
import { fetcherPlaces } from './package-fetchers.ts'

/** What is looked at. */
export interface StorageParts {
  readonly installer: Installer
  readonly dataDirectory: string
  readonly options: FetchOptions
  readonly fix: boolean
}

const problems: Readonly<Record<StoreFlaw['kind'], string>> = {
  leftover: 'it was being written when a process was killed',
  unclaimed: 'no plugin has it',
  damaged: 'its bytes are others than its name says',
}

/**
 * Looks at all that the daemon keeps of packages and at what killed ones left of theirs; with `fix` removes leftovers, moves aside
 * what is damaged or nobody's, and fetches again what the lock names, from exactly where it says. Only looks without.
 */
export async function examineStorage(parts: StorageParts): Promise<readonly StorageFinding[]> {
  const stores = ['installed', 'packages'].map((name) => join(parts.dataDirectory, name))
  return [
    ...(await Promise.all(stores.map((store) => storeFindings(store, parts)))).flat(),
    ...(await lockFindings(parts)),
    ...(await leftoverFindings(parts)),
    ...(await groupFindings(parts)),
  ]
}

async function storeFindings(store: string, { dataDirectory, options, fix }: StorageParts): Promise<readonly StorageFinding[]> {
  const aside = join(dataDirectory, 'moved-aside')
  const findings: StorageFinding[] = []
  for (const flaw of await examineStore(store, options.signal)) {
    const finding = { kind: flaw.kind, subject: flaw.path, problem: problems[flaw.kind] }
    if (!fix) {
      findings.push({ ...finding, fixed: false, action: flaw.kind === 'leftover' ? 'is to be removed' : 'is to be moved aside' })
      continue
    }
    const to = await takeOut(flaw, aside)
    const isUsed = to === flaw.path
    findings.push({
      ...finding,
      fixed: !isUsed,
      action: isUsed ? 'left alone: it is in use' : to === undefined ? 'removed' : `moved to ${to}`,
    })
  }
  return findings
}

/** What the lock names and the store does not hold; each by itself, so that one which cannot be had hides no other. */
async function lockFindings({ installer, options, fix }: StorageParts): Promise<readonly StorageFinding[]> {
  const missing = await installer.verify(options.signal)
  const report = fix && missing.length > 0 ? await installer.restoreEach(options) : undefined
  const outcomeOf = (id: string): Pick<StorageFinding, 'fixed' | 'action'> => {
    const failure = report?.failed.find((one) => one.id === id)
    if (report === undefined) return { fixed: false, action: 'is to be fetched from where the lock says' }
    if (failure === undefined) return { fixed: true, action: 'fetched from where the lock says' }
    return { fixed: false, action: `could not be fetched: ${failure.error.message}` }
  }
  return missing.map(({ id, version, digest }) => {
    const problem = `the store does not hold ${version} (${digest}) whole`
    const { fixed, action } = outcomeOf(id)
    return { kind: 'missing', subject: id, problem, fixed, action }
  })
}

/** Of git: in the daemon's folder, and what versions before it left in the system's. */
async function leftoverFindings({ dataDirectory, fix }: StorageParts): Promise<readonly StorageFinding[]> {
  const own = fetcherPlaces(dataDirectory).git
  const mine = (await readdir(own).catch(() => [])).filter(isLeftover).map((name) => join(own, name))
  const paths = [...mine, ...(await oldClones())]
  if (fix) await Promise.all(paths.map((path) => rm(path, { recursive: true, force: true })))
  const problem = 'a fetch from git was broken off'
  return paths.map((subject) => ({
    kind: 'leftover',
    subject,
    problem,
    fixed: fix,
    action: fix ? 'removed' : 'is to be removed',
  }))
}

/** Longer than any fetch from git lasts, ms. */
const oldMs = 24 * 3_600_000

async function oldClones(): Promise<readonly string[]> {
  const names = (await readdir(tmpdir())).filter((name) => /^backplane-git-[A-Za-z0-9]{6}$/.test(name))
  const found: string[] = []
  for (const path of names.map((name) => join(tmpdir(), name))) {
    const stats = await stat(path).catch(() => undefined)
    if (stats !== undefined && stats.uid === process.getuid?.() && Date.now() - stats.mtimeMs > oldMs) found.push(path)
  }
  return found
}

async function groupFindings({ fix }: StorageParts): Promise<readonly StorageFinding[]> {
  const problem = 'a control group of a host that has ended, without processes'
  const action = fix ? 'removed' : 'is to be removed'
  return (await emptyGroups(fix)).map((subject) => ({ kind: 'leftover', subject, problem, fixed: fix, action }))
}
