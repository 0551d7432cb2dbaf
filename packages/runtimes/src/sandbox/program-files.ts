import { execFile, execFileSync } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { interpreterOf } from './elf-interpreter.ts'

const run = promisify(execFile)
const listMs = 10_000

/** Scripts whose interpreter is a script, and so on; the kernel stops there too. */
const mostInterpreters = 4

const known = new Map<string, { readonly stamp: string; readonly files: readonly string[] }>()

/**
 * The files a program needs to start: itself, its loader and shared objects, a script's interpreter with all of its own;
 * each by the path it is looked for. The loader is asked, so the program itself does not run. Remembered until the program
 * changes. Rejects when the program cannot be read.
 */
export async function programFiles(program: string): Promise<readonly string[]> {
  const { mtimeMs, size } = await stat(program)
  const stamp = `${mtimeMs} ${size}`
  const before = known.get(program)
  if (before?.stamp === stamp) return before.files
  const files = await findFiles(program)
  known.set(program, { stamp, files })
  return files
}

async function findFiles(program: string, depth = 0): Promise<readonly string[]> {
  const interpreter = interpreterOf(program)
  if (interpreter === undefined) return [program]
  if (interpreter.kind === 'loader') return [program, interpreter.path, ...(await sharedObjects(interpreter.path, program))]
  if (depth === mostInterpreters) return [program]
  return [program, ...(await findFiles(interpreter.path, depth + 1))]
}

let node: readonly string[] | undefined

/** {@link programFiles} of the Node that runs this. */
export function nodeFiles(): readonly string[] {
  node ??= findNodeFiles()
  return node
}

function findNodeFiles(): readonly string[] {
  const program = process.execPath
  const loader = interpreterOf(program)?.path
  if (loader === undefined) return [program]
  const listed = execFileSync(loader, ['--list', program], { env: {}, encoding: 'utf8', timeout: listMs })
  return [program, loader, ...objectsIn(listed)]
}

async function sharedObjects(loader: string, program: string): Promise<readonly string[]> {
  const { stdout } = await run(loader, ['--list', program], { env: {}, timeout: listMs })
  return objectsIn(stdout)
}

function objectsIn(listed: string): readonly string[] {
  return listed.split('\n').flatMap((line) => /(?:=> |^\s*)(\/\S+) \(0x/.exec(line)?.[1] ?? [])
}
