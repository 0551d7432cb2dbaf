import type { RecordedChange } from '@exliar-vfio/points'
import type { Stage } from '../changes/apply.ts'
import { sha256 } from '../changes/backup-store.ts'
import { commandText } from '../changes/command-executor.ts'
import type { Cause, Making, RunCommandStep, WriteFileStep } from '../changes/step.ts'
import { textDiff } from '../changes/text-diff.ts'
import { configBytes, type FileEdit, type TreeReader } from '../text/config-file.ts'
import { OverlayTree } from './overlay-tree.ts'
import type { Plan, PlanSubject } from './plan.ts'

/** Who caused a file to change, and how that is listed. */
export interface EditMarks {
  readonly cause?: Cause
  readonly records?: RecordedChange['kind']
}

/** A plan in the making: each edit is made on what the ones before would leave. */
export class PlanDraft {
  readonly tree: OverlayTree
  readonly #files = new Map<string, { before: string | undefined; text: string }>()
  readonly #notes: string[] = []

  constructor(tree: TreeReader) {
    this.tree = new OverlayTree(tree)
  }

  note(...notes: readonly string[]): void {
    this.#notes.push(...notes.map(inOneLine))
  }

  /** Whether a file at or below this path changes so far. */
  hasChanged(path: string): boolean {
    return [...this.#files.keys()].some((file) => file.startsWith(path))
  }

  write(edits: readonly FileEdit[], summary: string, { cause, records }: EditMarks = {}): readonly WriteFileStep[] {
    return edits.map((edit) => {
      this.tree.edit(edit)
      const first = this.#files.get(edit.path)
      this.#files.set(edit.path, { before: first === undefined ? edit.before : first.before, text: edit.text })
      return {
        kind: 'write-file',
        path: edit.path,
        content: configBytes(edit.text),
        ...(edit.mode === undefined ? {} : { mode: edit.mode }),
        expects: edit.before === undefined ? null : sha256(configBytes(edit.before)),
        cause: cause ?? null,
        summary: inOneLine(`${summary} (${edit.path})`),
        records: records ?? 'file-modified',
      }
    })
  }

  run(makings: readonly Making[], summary: string, records: RecordedChange['kind'] = 'command-run'): readonly RunCommandStep[] {
    return makings.map((making) => ({
      kind: 'run-command',
      ...making,
      cause: null,
      summary: `${summary}: ${commandText(making)}`,
      records,
    }))
  }

  /** Stages in which nothing is done are left out, but for those that wait for the next start. */
  finish({ stages, ...plan }: Pick<Plan, 'title' | 'functions' | 'stages' | 'reboot'>): Plan {
    const hasSteps = stages.some(({ steps }) => steps.length > 0)
    const kept = hasSteps ? stages.filter(isTold) : []
    const diffs = [...this.#files].map(([path, { before, text }]) => {
      return { path, diff: textDiff(path, before === undefined ? undefined : configBytes(before), configBytes(text)) }
    })
    const inputs = this.tree.inputs
    const etag = sha256(JSON.stringify([kept.map(({ steps }) => steps.map(forHash)), inputs]))
    return { ...plan, stages: kept, diffs, notes: [...new Set(this.#notes)], inputs, etag }
  }
}

/** Plugins have a say in sentences that are shown in a terminal and written into a script. */
export function inOneLine(sentence: string): string {
  return sentence.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
}

function isTold({ subject, steps }: Stage<PlanSubject>): boolean {
  return steps.length > 0 || subject.kind === 'vfio-bind'
}

function forHash(step: Stage['steps'][number]): unknown {
  return step.kind === 'write-file' ? { ...step, content: sha256(step.content) } : step
}
