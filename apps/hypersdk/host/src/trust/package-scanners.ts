import { join } from 'node:path'
import type { HostConfig } from '../config/host-config.ts'
import type { PackageScanner } from './package-scans.ts'

/** Where bubblewrap is in every distribution that has it. */
const bubblewrap = '/usr/bin/bwrap'

/**
 * The scanners of the configuration. Each runs in a sandbox that hides the data directory, unless the configuration says that
 * one has to do without; where there is no bubblewrap it cannot be started, which refuses what it was to look at.
 */
export function packageScanners({
  plugins,
  dataDirectory,
}: Pick<HostConfig, 'plugins' | 'dataDirectory'>): readonly PackageScanner[] {
  return plugins.scanners.map(({ sandbox, network, ...scanner }) => ({
    ...scanner,
    // emptied at each start, so that a kill leaves no copies
    temporaryDirectory: join(dataDirectory, 'run'),
    ...(sandbox ? { sandbox: { program: bubblewrap, network, hide: [dataDirectory] } } : {}),
  }))
}
