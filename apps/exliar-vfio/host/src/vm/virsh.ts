import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exliarErrors } from '../errors.ts'
import { findProgram, programPath } from '../machine/find-program.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { runCommand } from '../machine/run-command.ts'
import { find, longestXml, readXml, textOf } from './xml-document.ts'

/** A machine as libvirt lists it. */
export interface ListedMachine {
  readonly name: string
  readonly uuid: string
}

/** What a machine does now, and why: `shut off` and `destroyed`. */
export interface MachineState {
  readonly state: string
  readonly reason: string
}

/**
 * libvirt on this machine, through its own program: one process for each command, arguments handed over as they are.
 * Errors of all: `VIRSH_MISSING`, `VIRSH_UNREACHABLE`, `VIRSH_TIMEOUT`, `VIRSH_FAILED`, and `VM_UNKNOWN` where a machine is
 * named. A signal ends a command early with `AbortError`.
 */
export interface Virsh {
  readonly uri: string
  /** Of the daemon: `9.0.0`. */
  readonly version: (signal?: AbortSignal) => Promise<string>
  /** Every machine, running or not. */
  readonly list: (signal?: AbortSignal) => Promise<ListedMachine[]>
  /** The lasting configuration; with passwords only where it will be given back to libvirt. */
  readonly dumpXml: (name: string, options?: { readonly withPasswords?: boolean }, signal?: AbortSignal) => Promise<string>
  /** Checks a configuration against libvirt's own schema, then makes it the lasting one. */
  readonly define: (xml: string, signal?: AbortSignal) => Promise<void>
  readonly state: (uuid: string, signal?: AbortSignal) => Promise<MachineState>
  readonly start: (uuid: string, signal?: AbortSignal) => Promise<void>
  /** Asks the guest to end. */
  readonly shutdown: (uuid: string, signal?: AbortSignal) => Promise<void>
  /** Pulls the plug. */
  readonly destroy: (uuid: string, signal?: AbortSignal) => Promise<void>
}

/** How libvirt is reached. */
export interface VirshOptions {
  /** Default `qemu:///system`. */
  readonly uri?: string
  /** For one command; default two minutes: hooks of others run inside a start. */
  readonly timeoutMs?: number
  /** Name or path of the program; default `virsh`. */
  readonly program?: string
}

type Run = (args: readonly string[], signal: AbortSignal | undefined) => Promise<string>

/** Makes access to libvirt; nothing is started yet. */
export function connectVirsh(options: VirshOptions = {}): Virsh {
  const { uri = 'qemu:///system', timeoutMs = 120_000, program = 'virsh' } = options
  const run: Run = (args, signal) => runVirsh({ program, uri, timeoutMs, args, signal })
  const act =
    (verb: string) =>
    async (uuid: string, signal?: AbortSignal): Promise<void> =>
      void (await run([verb, '--domain', uuid], signal))
  return {
    uri,
    version: async (signal) => readVersion(await run(['version', '--daemon'], signal)),
    list: async (signal) => readList(await run(['list', '--all', '--uuid', '--name'], signal)),
    dumpXml: async (name, { withPasswords = false } = {}, signal) => {
      const passwords = withPasswords ? ['--security-info'] : []
      const xml = await run(['dumpxml', '--inactive', ...passwords, '--domain', name], signal)
      // virsh takes a number for the id of a running machine, whatever others are called.
      if (textOf(find(readXml(xml).root, 'name')) !== name) throw exliarErrors.error('VM_UNKNOWN', { name, suggestion: '' })
      return xml
    },
    define: (xml, signal) => define(run, xml, signal),
    state: async (uuid, signal) => readState(await run(['domstate', '--reason', '--domain', uuid], signal)),
    start: act('start'),
    shutdown: act('shutdown'),
    destroy: act('destroy'),
  }
}

/** virsh opens the file by its name, which a pipe of Node's cannot be. */
async function define(run: Run, xml: string, signal: AbortSignal | undefined): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'exliar-'))
  try {
    const file = join(directory, 'domain.xml')
    await writeFile(file, xml, { mode: 0o600 })
    await run(['define', '--validate', '--file', file], signal)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function readVersion(output: string): string {
  return /^(?:Running against daemon|Using library: libvirt):? ([\d.]+)$/m.exec(output)?.[1] ?? ''
}

function readList(output: string): ListedMachine[] {
  const lines = [...output.matchAll(/^\s*([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})\s+(.+?)\s*$/gm)]
  return lines.map(([, uuid = '', name = '']) => ({ uuid, name }))
}

function readState(output: string): MachineState {
  const [, state = '', reason = ''] = /^(.*?)(?: \((.*)\))?$/m.exec(output.trim()) ?? []
  return { state, reason }
}

/** Session connections are found by these. */
const passedOn = ['HOME', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME'] as const

interface VirshRun {
  readonly program: string
  readonly uri: string
  readonly timeoutMs: number
  readonly args: readonly string[]
  readonly signal: AbortSignal | undefined
}

async function runVirsh({ program: called, uri, timeoutMs, args, signal }: VirshRun): Promise<string> {
  const program = findProgram(MachineTree.open('/'), called)
  if (program === undefined) throw exliarErrors.error('VIRSH_MISSING', { reason: 'it is not installed' })
  const passed = passedOn.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]] as const]))
  const end = await runCommand({
    program,
    args: ['--connect', uri, ...args],
    environment: { PATH: programPath, LC_ALL: 'C', ...(Object.fromEntries(passed) as Record<string, string>) },
    timeoutMs,
    outputBytes: longestXml * 4,
    ...(signal === undefined ? {} : { signal }),
  })
  if (end.failure === undefined) return end.output
  signal?.throwIfAborted()
  const command = args[0] ?? ''
  if (end.failure.startsWith('it took longer')) throw exliarErrors.error('VIRSH_TIMEOUT', { command, ms: timeoutMs })
  const reason = errorLines(end.errors, end.failure)
  if (/failed to connect to the hypervisor/.test(reason)) {
    throw exliarErrors.error('VIRSH_UNREACHABLE', { uri, reason: reason.split('\n').at(-1) })
  }
  if (/failed to get domain|Domain not found/.test(reason)) {
    throw exliarErrors.error('VM_UNKNOWN', { name: args[args.indexOf('--domain') + 1], suggestion: '' })
  }
  throw exliarErrors.error('VIRSH_FAILED', { command, reason })
}

/** libvirt's library also writes lines of its own log; what virsh says begins with `error:`. */
function errorLines(text: string, otherwise: string): string {
  const [, said] = /^error: *([\s\S]*)$/m.exec(text) ?? []
  const lines = (said ?? text).split('\n').map((line) => line.replace(/^error: */, '').trim())
  return lines.filter((line) => line !== '').join('\n') || otherwise
}
