import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { isAbandoned, namePrefix } from './control-files.ts'

/** Paths that a plugin's user could not reach by name, and where it will find them instead. */
export interface HiddenPaths extends Disposable {
  readonly sourceOf: (path: string) => string
  /** What has to be bound where, in the form of fstab(5); undefined when nothing is hidden. */
  readonly table: string | undefined
}

const everyoneMayPass = 0o001

/**
 * A host that is root keeps its own files in directories nobody else may enter. The sandbox is built by the plugin's user,
 * so what that user cannot reach is bound, in a mount namespace only this sandbox has, to places it can. `uid` is
 * undefined for a host that is not root: then nothing is hidden.
 */
export function hiddenPaths(paths: readonly string[], uid: number | undefined): HiddenPaths {
  const passable = new Map<string, boolean>()
  const hidden = uid === undefined ? [] : paths.filter((path) => !isReachable(dirname(path), passable))
  if (hidden.length === 0) return { sourceOf: (path) => path, table: undefined, [Symbol.dispose]: () => undefined }
  const directory = stagingDirectory()
  const remove = (): void => removeStaging(directory)
  try {
    chmodSync(directory, 0o711)
    const places = new Map(hidden.map((path, index) => [path, join(directory, String(index))]))
    for (const [path, place] of places) makePlace(path, place)
    const table = join(directory, 'table')
    const lines = [...places].map(([path, place]) => `${escaped(path)} ${escaped(place)} none bind 0 0\n`)
    writeFileSync(table, lines.join(''))
    return { sourceOf: (path) => places.get(path) ?? path, table, [Symbol.dispose]: remove }
  } catch (error) {
    remove()
    throw error
  }
}

function isReachable(directory: string, passable: Map<string, boolean>): boolean {
  const known = passable.get(directory)
  if (known !== undefined) return known
  const own = (statSync(directory).mode & everyoneMayPass) !== 0
  const reachable = own && (directory === dirname(directory) || isReachable(dirname(directory), passable))
  passable.set(directory, reachable)
  return reachable
}

let swept = false

/** Where everybody may look for it; what a killed host left there is removed first. */
function stagingDirectory(): string {
  const parent = existsSync('/run') ? '/run' : tmpdir()
  if (!swept) for (const name of readdirSync(parent).filter(isAbandoned)) removeStaging(join(parent, name))
  swept = true
  return mkdtempSync(join(parent, `${namePrefix()}-`))
}

/** Takes away places, never what may be bound to one. */
function removeStaging(directory: string): void {
  try {
    // Where everybody may make names, one of them may be somebody else's link.
    const stats = lstatSync(directory)
    if (!stats.isDirectory() || stats.uid !== process.getuid?.()) return
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) rmdirSync(path)
      else unlinkSync(path)
    }
    rmdirSync(directory)
  } catch {
    // The next host tries again.
  }
}

function makePlace(path: string, place: string): void {
  if (statSync(path).isDirectory()) mkdirSync(place)
  else writeFileSync(place, '')
}

/** Source: fstab(5), and how the kernel writes mounts. */
function escaped(path: string): string {
  return path.replaceAll(/[\s\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
}
