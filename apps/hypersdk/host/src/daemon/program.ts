import { PlatformError } from '@backplane/sdk'
import { readTlsFiles } from '@backplane/server'
import type { HostConfig } from '../config/host-config.ts'
import { loadConfig } from '../config/load-config.ts'
import { Redactor } from '../secrets/redactor.ts'
import { missingBundledPlugins } from './bundled-plugins.ts'
import { exitCodeOf } from './catalogues.ts'
import { exitOnDefect } from './exit-on-defect.ts'
import { helpText, parseFlags, type Flags } from './flags.ts'
import { hostLog, type HostLog } from './host-log.ts'
import { logWarnings } from './log-warnings.ts'
import { notifySystemd } from './notify-systemd.ts'
import { outliveOutput } from './outlive-output.ts'
import { listedPlugins } from './plugin-sources.ts'
import { versionText } from './product.ts'
import { startDaemon, type Daemon } from './start-daemon.ts'
import { stopDaemon } from './stop-daemon.ts'
import { stopSignals } from './stop-signals.ts'
import { ambiguousNames, unmatchedNames, unprovidedTypes } from './unmatched-names.ts'

/** The command `hypervisord`: answers its exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  try {
    const flags = parseFlags(args)
    if (flags.action === 'run') return await run(() => loadConfig(flags.config, flags))
    if (flags.action === 'validate') return await validate(flags)
    process.stdout.write(flags.action === 'help' ? helpText : `${versionText()}\n`)
    return 0
  } catch (error) {
    return tellFailure(error)
  }
}

async function validate(flags: Flags): Promise<number> {
  const config = await loadConfig(flags.config, flags)
  for (const notice of config.notices) process.stdout.write(`notice: ${notice}\n`)
  for (const folder of missingBundledPlugins()) process.stdout.write(`notice: the bundled plugin ${folder} is missing\n`)
  const { ids, types } = await listedPlugins(config)
  const names = [...unmatchedNames(config.plugins, ids), ...ambiguousNames(config.plugins, ids)]
  for (const notice of [...names, ...unprovidedTypes(config, types)]) process.stdout.write(`notice: ${notice}\n`)
  const tls = config.server.listen?.tls
  if (tls !== undefined) await readTlsFiles(tls)
  process.stdout.write(`${config.file ?? 'the defaults'}: no problems\n`)
  return 0
}

async function run(read: () => Promise<HostConfig>): Promise<number> {
  const config = await read()
  outliveOutput()
  const redactor = new Redactor()
  const log = hostLog({ level: config.logLevel, pretty: process.stderr.isTTY, redactor })
  logWarnings(log)
  exitOnDefect(log)
  const asked = stopSignals(['SIGTERM', 'SIGINT'], (signal, again) => {
    log.info(again ? 'stopping at once' : 'stopping when running exports have ended', { signal })
  })
  // Asked for while it starts it is done when that is over; unheard, the signal would end the process.
  const started = Promise.withResolvers<Daemon>()
  process.on('SIGHUP', () => void started.promise.then((daemon) => reload(daemon, log)))
  const daemon = await startDaemon(config, { env: process.env, log, redactor, reread: read })
  tellReady(daemon, log)
  notifySystemd('ready')
  started.resolve(daemon)
  await asked.stop
  notifySystemd('stopping')
  await stopDaemon(daemon, asked.hurry)
  log.info('stopped')
  return 0
}

/** Prints an error with its hint, and every problem of a configuration; answers the exit code. */
export function tellFailure(error: unknown): number {
  if (!(error instanceof PlatformError)) throw error
  const lines: unknown = error.details?.['lines']
  const text = Array.isArray(lines) ? lines.join('\n') : `${error.code}: ${error.message}`
  process.stderr.write(`${text}\n${error.hint === undefined || Array.isArray(lines) ? '' : `${error.hint}\n`}`)
  return exitCodeOf(error.code)
}

/** A reload that fails (while the daemon stops, say) changes nothing, so it must not end the daemon. */
async function reload(daemon: Daemon, log: HostLog): Promise<void> {
  notifySystemd('reloading')
  try {
    await daemon.reload()
    log.info('configuration and plugins reloaded')
  } catch (error) {
    const lines: unknown = error instanceof PlatformError ? error.details?.['lines'] : undefined
    log.error('not reloaded; what was read before goes on', { error, ...(Array.isArray(lines) ? { problems: lines } : {}) })
  }
  notifySystemd('ready')
}

function tellReady(daemon: Daemon, log: HostLog): void {
  const { tookMs, plugins } = daemon.kernel.report
  log.info('ready', {
    url: daemon.served.tcp?.url,
    unix_socket: daemon.served.unixSocket,
    token_file: daemon.tokenPath,
    plugins: plugins.length,
    took_ms: Math.round(tookMs),
  })
}
