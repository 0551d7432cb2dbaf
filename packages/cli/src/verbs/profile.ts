import type { Readable } from 'node:stream'
import { Option, type Command } from 'commander'
import { backplaneErrors } from '../errors.ts'
import { breakable } from '../offline/breakable.ts'
import { toFile } from '../offline/to-file.ts'
import { pluginPath, show, type Runner, type Session } from '../session.ts'
import { bytesText } from '@backplane/terminal'
import type { Terminal } from '../terminal/terminal.ts'
import { examples } from './examples.ts'

interface ProfileCommand {
  readonly cpu?: true
  readonly heap?: true
  readonly seconds: number
  readonly output?: string
}

/** Adds `profile`. */
export function addProfile(program: Command, run: Runner): void {
  const profile = program
    .command('profile <plugin>')
    .description('profile one running plugin: its processor time, or what its heap holds')
    .option('--cpu', 'processor time (the default): a .cpuprofile')
    .addOption(new Option('--heap', 'a .heapsnapshot; the plugin stands still meanwhile').conflicts('cpu'))
    .addOption(new Option('--seconds <seconds>', 'how long the processor is watched').default(5).argParser(seconds))
    .option('-o, --output <file>', 'where it is written; - for standard output (default: a name with the time, here)')
  examples(
    profile,
    ['profile libvirt --cpu --seconds 10 -o libvirt.cpuprofile', 'profile acme/vault --heap -o vault.heapsnapshot'],
    'Open the file in the developer tools of a browser. A heap snapshot holds what the plugin holds, its secrets too;\nthe file is readable by you alone.',
  )
  profile.action(run(takeProfile))
}

async function takeProfile(session: Session, id: string, options: ProfileCommand): Promise<void> {
  const { heap = false, output } = options
  const query = new URLSearchParams({ kind: heap ? 'heap' : 'cpu', seconds: String(options.seconds) })
  const { name, bytes } = await session.api().file(`${pluginPath(id)}/profile`, query)
  if (output === '-') return toTerminal(bytes, session.terminal)
  const extension = heap ? 'heapsnapshot' : 'cpuprofile'
  const path = output ?? ownName(name, extension) ?? `plugin.${extension}`
  const sizeBytes = await breakable(session.terminal, `${path} was not written`, (signal) => toFile(bytes, path, { signal }))
  show(session, { plugin: id, kind: heap ? 'heap' : 'cpu', path, bytes: sizeBytes }, () => `${path} (${bytesText(sizeBytes)})\n`)
}

async function toTerminal(bytes: Readable, terminal: Terminal): Promise<void> {
  for await (const piece of bytes) terminal.out(piece as Uint8Array)
}

/** The name a host gives, if it is one for a profile: no host may say that `.bashrc` is written. */
function ownName(name: string | undefined, extension: string): string | undefined {
  return name !== undefined && /^[\w-]/.test(name) && name.endsWith(`.${extension}`) ? name : undefined
}

function seconds(text: string): number {
  const value = Number(text)
  if (value >= 0.1 && value <= 60) return value
  throw backplaneErrors.error('BACKPLANE_USAGE', { reason: `--seconds ${text} is not a number of seconds from 0.1 to 60` })
}
