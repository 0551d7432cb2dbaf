import { durationMs, sizeBytes } from '@backplane/kernel'
import { z } from 'zod'
import type { Environment } from './default-places.ts'
import type { ScannerConfig } from './host-config.ts'
import { quantity } from './plugin-limits.ts'

const Scanner = z.strictObject({
  /** Program, an absolute path, and arguments; `{directory}` in them is where the package lies. No shell. */
  argv: z
    .array(z.string())
    .min(1)
    .refine(([program]) => program?.startsWith('/'), { error: 'must begin with an absolute path' }),
  /** Variables of the daemon that it is given; all others it is not. */
  environment: z.array(z.string().min(1)).default([]),
  timeout: quantity(durationMs, 'must be a duration with a unit, such as "60s"', 1).default(60_000),
  max_output: quantity(sizeBytes, 'must be a size with a unit, such as "1MiB"', 1).default(1024 * 1024),
  /** How long what it found of the same bytes counts. */
  fresh: quantity(durationMs, 'must be a duration with a unit, such as "24h"', 0).default(24 * 3_600_000),
  /** A machine of its own that it can only read (bubblewrap). */
  sandbox: z.boolean().default(true),
  /** Whether it has a network there. */
  network: z.boolean().default(false),
})

/** Commands that look through packages; `static` is the scanner that is built in. */
export const Scanners = z.record(
  z.string().regex(/^(?!static$)[a-z0-9][a-z0-9-]{0,31}$/, {
    error: 'must be a name of small letters, digits and -, and not "static"',
  }),
  Scanner,
)

/** What the file says. */
export function scannersOf(raw: z.output<typeof Scanners>, env: Environment): readonly ScannerConfig[] {
  return Object.entries(raw).map(([name, { argv, environment, timeout, max_output: maxBytes, fresh, sandbox, network }]) => {
    const [program = '', ...args] = argv
    const given = environment.flatMap((variable) => (env[variable] === undefined ? [] : [[variable, env[variable]] as const]))
    return {
      name,
      argv: [program, ...args],
      env: Object.fromEntries(given),
      timeoutMs: timeout,
      maxBytes,
      freshMs: fresh,
      sandbox,
      network,
    }
  })
}
