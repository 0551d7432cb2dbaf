import { appendFileSync } from 'node:fs'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { PlatformError } from '@backplane/sdk'
import { ApiClient } from '@backplane/server/client'
import { loadConfig } from '../config/load-config.ts'
import { exitOnDefect } from '../daemon/exit-on-defect.ts'
import { hostLog } from '../daemon/host-log.ts'
import { logWarnings } from '../daemon/log-warnings.ts'
import { outliveOutput } from '../daemon/outlive-output.ts'
import { tellFailure } from '../daemon/program.ts'
import { startDaemon, type Daemon } from '../daemon/start-daemon.ts'
import { stopDaemon } from '../daemon/stop-daemon.ts'
import { stopSignals } from '../daemon/stop-signals.ts'
import { hashFile } from '../export/hash-file.ts'
import { Redactor } from '../secrets/redactor.ts'
import { nextSteps } from './next-steps.ts'
import { writeSampleConfig } from './sample-config.ts'
import { makeSampleDisks } from './sample-disks.ts'
import { showExport, type Screen } from './show-export.ts'

/**
 * What `npm start` does: makes sample disks and a configuration, starts the daemon, exports one disk through its REST
 * API, checks the result by itself, and serves until Ctrl-C. Answers the exit code. Running it again picks up what is
 * there.
 */
export async function firstRun(folder: string): Promise<number> {
  outliveOutput()
  // With its terminal goes whoever could stop it.
  const asked = stopSignals(['SIGTERM', 'SIGINT', 'SIGHUP'], (_signal, again) => {
    print(again ? 'stopping at once' : '\nstopping when running exports have ended; Ctrl-C again stops at once')
  })
  try {
    const directory = resolve(folder)
    const daemon = await prepare(directory)
    try {
      const done = demonstrate(daemon, directory)
      await Promise.race([done.then(() => asked.stop), asked.stop])
    } finally {
      await stopDaemon(daemon, asked.hurry)
    }
    print('stopped')
    return 0
  } catch (error) {
    if (error instanceof PlatformError) return tellFailure(error)
    print(`the first run failed: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  }
}

async function prepare(directory: string): Promise<Daemon> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const disks = await makeSampleDisks(join(directory, 'disks'))
  for (const path of disks.made) print(`made ${shown(path)}`)
  if (!disks.qemuImg) print('qemu-img is not installed (Debian package qemu-utils): only raw disks can be exported')
  const file = await writeSampleConfig(directory, disks.directory)
  const config = await loadConfig(file)
  const logFile = join(directory, 'hypervisord.log')
  const redactor = new Redactor()
  const log = hostLog({ level: config.logLevel, pretty: false, redactor, write: (line) => appendFileSync(logFile, line) })
  logWarnings(log)
  exitOnDefect(log)
  const surroundings = { env: process.env, log, redactor }
  const daemon = await startDaemon(config, surroundings).catch(async (error: unknown) => {
    if (!(error instanceof PlatformError) || error.code !== 'SERVER_ADDRESS_IN_USE') throw error
    print(`port ${config.server.listen?.port} is busy, another is used`)
    return startDaemon(await loadConfig(file, { addr: '127.0.0.1:0' }), surroundings)
  })
  const doors = [daemon.served.tcp?.url, daemon.served.unixSocket].filter((door) => door !== undefined)
  print(`hypervisord serves ${doors.map(shown).join(' and ')}, log in ${shown(logFile)}`)
  return daemon
}

/** Of the daemon, in one request. */
const longestSilenceMs = 60_000

async function demonstrate(daemon: Daemon, directory: string): Promise<void> {
  const url = daemon.served.tcp?.url ?? ''
  // As any other program would: over TCP, with its token.
  const token = (await readFile(daemon.tokenPath, 'utf8')).trim()
  const api = new ApiClient({ kind: 'url', url: new URL(url), token }, longestSilenceMs)
  const list = (await api.get('/api/providers/samples/vms')) as { vms: { id: string; name: string }[] }
  print(`machines: ${list.vms.map((vm) => vm.name).join(', ')}`)
  const vm = list.vms.find((one) => one.name.startsWith('sample-server')) ?? list.vms[0]
  if (vm === undefined) throw new Error('no sample machine was found')
  const request = { provider: 'samples', vm_id: vm.id, format: 'raw', output_dir: 'first-run', options: { overwrite: true } }
  const job = await showExport(api, request, screen)
  const file = job.result?.files[0] ?? ''
  const { size, blocks } = await stat(file)
  // What the export claims is not believed but checked, by reading the file again.
  const sum = await hashFile(file, size)
  if (sum !== job.result?.checksum) throw new Error(`${file} has SHA-256 ${sum}, but the export says ${job.result?.checksum}`)
  const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
  print(`exported ${shown(file)}: ${mebibytes(size)}, of which ${mebibytes(blocks * 512)} on disk (holes stay holes)`)
  print(`SHA-256 ${sum}, verified by reading the file again`)
  const { unixSocket } = daemon.served
  const socket = unixSocket === undefined ? undefined : shown(unixSocket)
  print(nextSteps({ url, socket, token: shown(daemon.tokenPath), folder: shown(directory) }))
}

const screen: Screen = { print, replace: process.stdout.isTTY ? replace : undefined }

let replacing = false

function print(line: string): void {
  process.stdout.write(`${replacing ? '\n' : ''}${line}\n`)
  replacing = false
}

function replace(line: string): void {
  process.stdout.write(`\r\u001B[K${line}`)
  replacing = true
}

function shown(path: string): string {
  if (!path.startsWith('/')) return path
  const way = relative(process.cwd(), path)
  return way === '' || way.startsWith('..') ? path : way
}
