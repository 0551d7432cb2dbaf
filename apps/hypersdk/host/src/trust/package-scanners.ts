import { join } from 'node:path'
import type { PluginAccess, Policy } from '@backplane/kernel'
import { type OpenedClient, scanner, type ScannedPackage } from '@backplane/sdk'
import type { PackageScanner } from '@backplane/sources'
import { commandScanner, pluginScanner } from '@backplane/trust'
import type { HostConfig, PluginScannerConfig } from '../config/host-config.ts'
import { hypersdkErrors } from '../errors.ts'

/** Where bubblewrap is in every distribution that has it. */
const bubblewrap = '/usr/bin/bwrap'

/** How scanners that are plugins are reached; undefined before there is a kernel. */
export type ReachPlugins = () => PluginAccess | undefined

/**
 * The scanners of the configuration. A command runs in a sandbox that hides the data directory, unless the configuration says that
 * it has to do without; where there is no bubblewrap it cannot be started, which refuses what it was to look at. So does a plugin
 * that is not there, or cannot be started.
 */
export function packageScanners(
  { plugins, dataDirectory }: Pick<HostConfig, 'plugins' | 'dataDirectory'>,
  reach: ReachPlugins = () => undefined,
): readonly PackageScanner[] {
  return plugins.scanners.map((one): PackageScanner => {
    const { name, freshMs } = one
    if (one.kind === 'plugin') {
      const { plugin, timeoutMs } = one
      const scan = pluginScanner({ name, plugin, timeoutMs, open: (about, signal) => opened(one, reach(), { about, signal }) })
      const by = (): string => `${plugin} ${reach()?.plugins.get(plugin)?.version ?? ''}`
      return { name, freshMs, plugin, by, scan }
    }
    const { sandbox, network, ...command } = one
    const scan = commandScanner({
      ...command,
      // emptied at each start, so that a kill leaves no copies
      temporaryDirectory: join(dataDirectory, 'run'),
      ...(sandbox ? { sandbox: { program: bubblewrap, network, hide: [dataDirectory] } } : {}),
    })
    return { name, freshMs, by: () => JSON.stringify(command.argv), scan: (_, files, signal) => scan(files, signal) }
  })
}

interface Opening {
  readonly about: ScannedPackage
  readonly signal: AbortSignal
}

/** Errors: `SCANNER_MISSING`, and why the plugin cannot be started or does not open. */
async function opened(
  { name, plugin }: PluginScannerConfig,
  plugins: PluginAccess | undefined,
  { about, signal }: Opening,
): Promise<OpenedClient<typeof scanner>> {
  const missing = (reason: string): Error => hypersdkErrors.error('SCANNER_MISSING', { name, plugin, reason }, { plugin })
  if (plugins?.plugins.get(plugin) === undefined) throw missing('the plugin is not here')
  await using lease = await plugins.lease(scanner, name, { signal })
  // only the named plugin may provide it, and nobody else is asked in its place
  if (lease.plugin !== plugin) throw missing(`${lease.plugin} answers to the name`)
  return await lease.handle.open(about, { signal })
}

type Claim = Parameters<NonNullable<Policy['reserved']>>[0]

/** Why a plugin may not be a scanner: the configuration does not name it as that. For the kernel's policy. */
export function scannerReserved(
  { scanners }: Pick<HostConfig['plugins'], 'scanners'>,
  { point, name, id }: Claim,
): string | undefined {
  if (point !== scanner.id) return undefined
  const named = scanners.find((one) => one.name === name)
  if (named?.kind === 'plugin' && named.plugin === id) return undefined
  const says = named === undefined ? 'names no scanner so' : `names ${named.kind === 'plugin' ? named.plugin : 'a command'} so`
  return `plugins.scanners ${says}; if this plugin is meant, write plugins.scanners.${name}.plugin: ${id} into the configuration`
}
