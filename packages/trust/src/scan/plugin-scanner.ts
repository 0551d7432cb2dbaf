import { mostScannerFindings, PlatformError, type OpenedClient, type ScannedPackage, type scanner } from '@backplane/sdk'
import type { Finding } from '../subject.ts'
import { inTurn, untilAborted } from './in-turn.ts'
import type { ScannedFile } from './scan-tree.ts'
import { findingOf } from './scanner-output.ts'

/** A plugin that looks through packages. */
export interface ScannerPlugin {
  /** Its findings are of rules `<name>/…`. */
  readonly name: string
  /** Its id. */
  readonly plugin: string
  /** Longest time for one package, ms, from when it is asked until it has answered. Default 60 000. */
  readonly timeoutMs?: number
  /** Opens it for one package, starting it where it does not run. Rejects with why it cannot; ended by the signal. */
  readonly open: (about: ScannedPackage, signal: AbortSignal) => Promise<OpenedClient<typeof scanner>>
}

/** Bytes in one piece: less than the smallest message that a plugin may be held to. */
const pieceBytes = 256 * 1024

/**
 * Scans packages by a plugin, one after another, so that one scanner is never asked about more than it can hold. It is shown the
 * bytes of the package piece by piece, and no folder. Whatever it fails with (it is not there, crashes, takes too long, answers
 * what is no finding) is a finding and no silence. Rejects only with the signal's reason.
 */
export function pluginScanner(
  by: ScannerPlugin,
): (about: ScannedPackage, files: readonly ScannedFile[], signal: AbortSignal) => Promise<readonly Finding[]> {
  const queue = inTurn()
  return (about, files, signal) => queue(() => scan(by, about, { files, signal }), signal)
}

interface Scanning {
  readonly files: readonly ScannedFile[]
  readonly signal: AbortSignal
}

async function scan(by: ScannerPlugin, about: ScannedPackage, { files, signal }: Scanning): Promise<readonly Finding[]> {
  const { name, timeoutMs = 60_000 } = by
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(new Error(`it took longer than ${timeoutMs} ms`)), timeoutMs)
  const ended = AbortSignal.any([signal, over.signal])
  try {
    const said = await untilAborted(ask(by, about, { files, signal: ended }), ended)
    const reading = { scanner: name, files: new Set(files.map(({ path }) => path)) }
    return said.slice(0, mostScannerFindings).map((one) => findingOf(reading, one))
  } catch (error) {
    signal.throwIfAborted()
    return [notRun(by, over.signal.aborted ? over.signal.reason : error)]
  } finally {
    clearTimeout(timer)
  }
}

async function ask({ open }: ScannerPlugin, about: ScannedPackage, { files, signal }: Scanning): Promise<readonly object[]> {
  await using opened = await open(about, signal)
  for (const { path, bytes } of files) {
    let offset = 0
    do {
      // copied, as what is sent may be taken over by whom it is sent to
      const piece = new Uint8Array(bytes.subarray(offset, offset + pieceBytes))
      await opened.file({ path, sizeBytes: bytes.length, offset, bytes: piece }, { signal })
      offset += pieceBytes
    } while (offset < bytes.length)
  }
  return await opened.findings(undefined, { signal })
}

function notRun({ name, plugin }: ScannerPlugin, error: unknown): Finding {
  const reason = error instanceof Error ? error.message : String(error)
  return {
    rule: `${name}/not-run`,
    severity: 'danger',
    file: 'plugin.json',
    message: `${plugin} could not look: ${reason}`.slice(0, 1_000),
    fix:
      (error instanceof PlatformError ? error.hint : undefined) ?? `Run \`backplane why ${plugin}\` and put right what it says`,
  }
}
