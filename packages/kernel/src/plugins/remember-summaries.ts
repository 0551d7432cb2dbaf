import { setImmediate } from 'node:timers/promises'
import type { Core } from '../core.ts'
import type { ManifestSummary } from '../manifest-summary.ts'
import type { Candidate } from './plugin.ts'
import type { FoundPackage, Source } from '../ports.ts'
import { summaryOf, usableSummary } from '../stages/summary.ts'
import { messageOf } from '../calls/thrown.ts'

/** Lets the sources keep what was read of these packages, once nothing more urgent is to be done. Never rejects. */
export async function rememberSummaries({ log }: Core, candidates: readonly Candidate[]): Promise<void> {
  if (candidates.length === 0) return
  await setImmediate()
  const bySource = new Map<Source, Map<FoundPackage, ManifestSummary>>()
  for (const { source, found, manifest } of candidates) {
    if (source.remember === undefined || manifest === undefined) continue
    const summaries = bySource.get(source) ?? new Map<FoundPackage, ManifestSummary>()
    bySource.set(source, summaries.set(found, summaryOf(found)))
  }
  for (const [source, summaries] of bySource) {
    try {
      await source.remember?.(summaries)
    } catch (error) {
      log.write({ level: 'error', message: `source ${source.name} could not remember its manifests: ${messageOf(error)}` })
    }
  }
}

/** Whether the whole manifest had to be read. */
export function wasRead({ found }: Candidate): boolean {
  return usableSummary(found) === undefined
}
