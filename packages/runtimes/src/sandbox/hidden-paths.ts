import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Paths that a plugin's user could not reach by name, and where it will find them instead. */
export interface HiddenPaths extends AsyncDisposable {
  readonly sourceOf: (path: string) => string
  /** What has to be bound where, in the form of fstab(5); undefined when nothing is hidden. */
  readonly table: string | undefined
}

const everyoneMayPass = 0o001

/**
 * A host that is root keeps its own files in directories nobody else may enter. The sandbox is built by the plugin's user,
 * so what that user cannot reach is bound, in a mount namespace only this sandbox has, to places it can.
 */
export async function hiddenPaths(paths: readonly string[], uid: number | undefined): Promise<HiddenPaths> {
  const hidden: string[] = []
  const passable = new Map<string, Promise<boolean>>()
  for (const path of uid === undefined ? [] : paths) if (!(await isReachable(dirname(path), passable))) hidden.push(path)
  if (hidden.length === 0) {
    return { sourceOf: (path) => path, table: undefined, [Symbol.asyncDispose]: () => Promise.resolve() }
  }
  const directory = await stagingDirectory()
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true })
  try {
    await chmod(directory, 0o711)
    const places = new Map(hidden.map((path, index) => [path, join(directory, String(index))]))
    for (const [path, place] of places) await makePlace(path, place)
    const table = join(directory, 'table')
    const lines = [...places].map(([path, place]) => `${escaped(path)} ${escaped(place)} none bind 0 0\n`)
    await writeFile(table, lines.join(''))
    return { sourceOf: (path) => places.get(path) ?? path, table, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    throw error
  }
}

function isReachable(directory: string, passable: Map<string, Promise<boolean>>): Promise<boolean> {
  const known = passable.get(directory) ?? mayPass(directory, passable)
  passable.set(directory, known)
  return known
}

async function mayPass(directory: string, passable: Map<string, Promise<boolean>>): Promise<boolean> {
  if (((await stat(directory)).mode & everyoneMayPass) === 0) return false
  return directory === dirname(directory) || isReachable(dirname(directory), passable)
}

/** Where everybody may look for it. */
function stagingDirectory(): Promise<string> {
  return mkdtemp('/run/backplane-').catch(() => mkdtemp(join(tmpdir(), 'backplane-')))
}

async function makePlace(path: string, place: string): Promise<void> {
  if ((await stat(path)).isDirectory()) await mkdir(place)
  else await writeFile(place, '')
}

/** Source: fstab(5), and how the kernel writes mounts. */
function escaped(path: string): string {
  return path.replaceAll(/[\s\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
}
