import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundleModules } from './bundle-modules.ts'
import { compileProgram, launcherOf, type CompiledProgram } from './compiled-program.ts'

/** Programs of the guest's side, one per tier. */
export type GuestProgram = 'process' | 'worker' | 'landlock'

/** The guest's side as files that a fresh process or worker loads at once. Dispose it to remove them. */
export interface GuestFiles extends AsyncDisposable {
  /** Private to this user; a real path. */
  readonly directory: string
  /** Path of the module to run. */
  readonly main: string
  /** File URL of the SDK that guest and plugin share. */
  readonly sdkUrl: string
  /** All that a guest reads of these: a directory of its own, so that a sandbox has to be given one place. */
  readonly reads: string
}

// Made once per process and program; they depend on nothing but this package.
const texts = new Map<GuestProgram | 'sdk', Promise<string>>()
const programs = new Map<GuestProgram, Promise<CompiledProgram>>()

/** Lays out one program in a new private directory under `parent` (default: the system's temporary directory). */
export async function layOutGuest(program: GuestProgram, parent: string = tmpdir()): Promise<GuestFiles> {
  const directory = await realpath(await mkdtemp(join(parent, 'backplane-')))
  const reads = join(directory, 'guest')
  const [body, code] = [`${program}.js`, `${program}.code`]
  const [main, sdk] = [join(reads, `${program}.cjs`), join(reads, 'sdk.mjs')]
  try {
    const [made, sdkText] = await Promise.all([compiled(program), text('sdk'), makePublic(reads)])
    await Promise.all([
      writePublic(main, launcherOf(body, code)),
      writePublic(join(reads, body), made.text),
      writePublic(join(reads, code), made.code),
      writePublic(sdk, sdkText),
    ])
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
  return {
    directory,
    main,
    sdkUrl: pathToFileURL(sdk).href,
    reads,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

// A guest may run as another user, whatever this process lets others read.

async function makePublic(directory: string): Promise<void> {
  await mkdir(directory)
  await chmod(directory, 0o755)
}

async function writePublic(path: string, content: string | Buffer): Promise<void> {
  await writeFile(path, content)
  await chmod(path, 0o444)
}

/** The text of a program that needs no files beside it. */
export function programText(program: 'landlock'): Promise<string> {
  return text(program)
}

function compiled(program: GuestProgram): Promise<CompiledProgram> {
  const made = programs.get(program) ?? text(program).then(compileProgram)
  programs.set(program, made)
  return made
}

function text(part: GuestProgram | 'sdk'): Promise<string> {
  const known = texts.get(part)
  if (known !== undefined) return known
  const external = part === 'sdk' ? {} : { '@backplane/sdk': './sdk.mjs' }
  const made = bundleModules({ entry: entryOf(part), external, form: part === 'sdk' ? 'module' : 'program' })
  texts.set(part, made)
  return made
}

function entryOf(part: GuestProgram | 'sdk'): string {
  // Of the same kind as this module: source beside source, build beside build.
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
  switch (part) {
    case 'sdk':
      return import.meta.resolve('@backplane/sdk')
    case 'process':
      return new URL(`../confined/process-main${extension}`, import.meta.url).href
    case 'landlock':
      return new URL(`../sandbox/landlock-main${extension}`, import.meta.url).href
    case 'worker':
      return new URL(`../contained/worker-main${extension}`, import.meta.url).href
  }
}
