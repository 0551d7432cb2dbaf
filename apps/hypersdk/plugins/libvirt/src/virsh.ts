import { runProgram, type ProgramResult } from '@hypersdk/points/programs'
import { libvirtErrors } from './errors.ts'

/** A connection to one hypervisor, made anew by each command. */
export interface Virsh {
  readonly uri: string
  /**
   * Runs one command with its arguments as they are, and answers its standard output. `timeoutMs` overrides the
   * connection's; 0 is none. Errors: `LIBVIRT_PROGRAM_MISSING`, `LIBVIRT_UNREACHABLE`, `LIBVIRT_NOT_FOUND`,
   * `LIBVIRT_SNAPSHOT_NOT_FOUND`, `LIBVIRT_TIMEOUT`, `LIBVIRT_FAILED`.
   */
  readonly run: (args: readonly string[], signal: AbortSignal, timeoutMs?: number) => Promise<string>
  /**
   * Runs several commands on one connection; the answer is what they all wrote, and commands that fail are passed over.
   * The text is parsed by virsh, so nothing that users choose may be in it.
   */
  readonly script: (commands: readonly string[], signal: AbortSignal) => Promise<string>
}

const outputBytes = 64 * 1024 * 1024

/** How an instance's configuration names its hypervisor. */
export interface VirshSettings {
  readonly endpoint?: string | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly username?: string | undefined
  readonly timeout_ms?: number | undefined
}

/** Connects to what `endpoint` names, or over ssh to `host`, or to `qemu:///system`. Errors: `LIBVIRT_URI_INVALID`. */
export function connectVirsh(settings: VirshSettings): Virsh {
  const uri = connectionUri(settings)
  const limitMs = settings.timeout_ms ?? 30_000
  const execute = async (args: readonly string[], signal: AbortSignal, timeoutMs: number): Promise<ProgramResult> => {
    if (timeoutMs === 0) return runProgram('virsh', { args, signal, outputBytes })
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      return await runProgram('virsh', { args, signal: AbortSignal.any([signal, timeout]), outputBytes })
    } catch (error) {
      if (signal.aborted || !timeout.aborted) throw error
      throw libvirtErrors.error('LIBVIRT_TIMEOUT', { command: args[2], ms: timeoutMs })
    }
  }
  return {
    uri,
    run: async (args, signal, timeoutMs = limitMs) =>
      answer(uri, args, await execute(['--connect', uri, ...args], signal, timeoutMs)),
    script: async (commands, signal) =>
      answer(uri, commands, await execute(['--connect', uri, [...commands, 'echo'].join('; ')], signal, limitMs)),
  }
}

/** Whether the hypervisor's files are this machine's. */
export function isLocal(uri: string): boolean {
  return new URL(uri).host === ''
}

function connectionUri({ endpoint, host, port, username }: VirshSettings): string {
  const user = username === undefined ? '' : `${encodeURIComponent(username)}@`
  const remote = host === undefined ? undefined : `qemu+ssh://${user}${host}${port === undefined ? '' : `:${port}`}/system`
  const uri = endpoint ?? remote ?? 'qemu:///system'
  if (!/^[a-z][a-z0-9+]*:\/\//.test(uri) || !URL.canParse(uri)) throw libvirtErrors.error('LIBVIRT_URI_INVALID', { uri })
  return uri
}

function answer(uri: string, args: readonly string[], result: ProgramResult): string {
  if (result.kind === 'done') return result.output
  if (result.kind === 'missing') {
    throw libvirtErrors.error('LIBVIRT_PROGRAM_MISSING', { program: 'virsh', package: 'libvirt-clients', reason: result.reason })
  }
  const reason = errorLines(result.reason)
  const named = (option: string): string | undefined => args[args.indexOf(option) + 1]
  if (/failed to connect to the hypervisor/.test(reason)) {
    throw libvirtErrors.error('LIBVIRT_UNREACHABLE', { uri, reason: reason.split('\n').at(-1) })
  }
  if (/failed to get domain|Domain not found/.test(reason)) {
    throw libvirtErrors.error('LIBVIRT_NOT_FOUND', { id: named('--domain') })
  }
  if (/Domain snapshot not found/.test(reason)) {
    throw libvirtErrors.error('LIBVIRT_SNAPSHOT_NOT_FOUND', { id: named('--domain'), snapshot: named('--snapshotname') })
  }
  throw libvirtErrors.error('LIBVIRT_FAILED', { command: args[0], reason })
}

/** libvirt's library also writes lines of its own log; what virsh says begins with `error:`. */
function errorLines(text: string): string {
  const said = [...text.matchAll(/^error: *(.*)$/gm)].map(([, line = '']) => line)
  return said.length === 0 ? text : said.join('\n')
}
