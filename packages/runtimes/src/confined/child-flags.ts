import { hostConditions } from '../host-conditions.ts'

/** What a child may do, as its command line says it. */
export interface ChildPermissions {
  /** Paths as the permission model matches them: a directory stands for what is in it, `/*` for what will be. */
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  readonly exec: boolean
  /** Tells of what is not allowed here instead of denying it: for where something else denies it. */
  readonly audit?: boolean
  /** Of the JavaScript heap. */
  readonly memoryMiB: number
  /** Whether its address space is limited: WebAssembly then must not reserve gigabytes for its guard pages. */
  readonly narrowAddresses?: boolean
}

/**
 * Node's options for a confined child. Anything that is not allowed here is denied by `--permission`: the network to everyone; in
 * audit mode it is told.
 */
export function childFlags(permissions: ChildPermissions): readonly string[] {
  const { reads, writes, exec, audit = false, memoryMiB, narrowAddresses = false } = permissions
  return [
    audit ? '--permission-audit' : '--permission',
    ...outerFirst(reads).map((path) => `--allow-fs-read=${path}`),
    ...outerFirst(writes).map((path) => `--allow-fs-write=${path}`),
    ...(exec && !audit ? ['--allow-child-process'] : []),
    // SQLite reads and writes files past the permission model.
    ...known('--no-experimental-sqlite', '--no-experimental-ffi', '--no-addons', '--disable-sigusr1'),
    ...(narrowAddresses ? ['--disable-wasm-trap-handler'] : []),
    '--disable-warning=SecurityWarning',
    '--disable-warning=ExperimentalWarning',
    `--max-old-space-size=${memoryMiB}`,
    ...hostConditions(process.execArgv),
  ]
}

/** Granted after a directory inside it, a directory itself could not be read. */
function outerFirst(paths: readonly string[]): readonly string[] {
  return paths.toSorted((one, other) => one.length - other.length)
}

/** Whether this Node can keep a process off the network. Before 26 it is open to everyone; `enforces` says so. */
export const canDenyNet: boolean = process.allowedNodeEnvironmentFlags.has('--allow-net')

/** Whether this Node can tell of what a process uses. */
export const canTellUse: boolean = process.allowedNodeEnvironmentFlags.has('--permission-audit')

/** An option that this Node does not know would keep it from starting. */
function known(...options: readonly string[]): readonly string[] {
  return options.filter((option) => process.allowedNodeEnvironmentFlags.has(option))
}
