import { describePermissions } from '@backplane/kernel'
import type { PermissionVocabulary } from '@backplane/sdk'
import { z } from '@hono/zod-openapi'
import type { InstallPlan, InstallStep, InstallVerdict } from './plugin-installs.ts'
import { settingsChange } from './settings-change.ts'

/** A permission as people approve it. */
export const SentenceView = z
  .object({
    permission: z.string().describe('As the manifest writes it, and as it is approved.'),
    sentence: z.string().describe('To be read after "It may".'),
    risk: z.enum(['low', 'medium', 'high']),
    reason: z.string().describe('Why the risk is that.'),
  })
  .openapi('Permission')
const Sentences = z.array(SentenceView).describe('The riskiest first.')

/** Why a package may run, or may not. */
export const VerdictView = z
  .object({
    ok: z.boolean(),
    trust: z.string().describe('`bundled`, `signed` or `unsigned`.'),
    publisher: z.string().nullable().describe('Who vouches for it.'),
    rules: z
      .array(
        z.object({
          rule: z.string(),
          outcome: z.string().describe('`passed`, `refused`, `waived` or `silent`.'),
          reason: z.string(),
          file: z.string().nullable(),
          fix: z.string().nullable().describe('What to do now.'),
        }),
      )
      .describe('Every rule, in the order in which they were asked.'),
  })
  .openapi('Verdict')

const Put = z.object({
  kind: z.enum(['install', 'update']),
  id: z.string(),
  version: z.string(),
  from: z.string().nullable().describe('The version there is now.'),
  needed_by: z.array(z.string()).describe('Ids that bring it in; empty when it is asked for itself.'),
  source: z.string(),
  digest: z.string(),
  size_bytes: z.int(),
  verdict: VerdictView,
  permissions: z.object({
    asked: Sentences,
    withheld: z.array(z.string()).describe('What it asks for and is kept from it.'),
    unapproved: Sentences.describe('What has to be approved before it is installed.'),
    dropped: z.array(z.string()).describe('Approved before and not asked for any more.'),
  }),
  settings: z
    .object({
      added: z.array(z.string()),
      removed: z.array(z.string()),
      changed: z.array(z.string()),
      required: z.array(z.string()).describe('Have to be given from now on.'),
    })
    .describe('How its settings change, by name.'),
  license: z.object({ from: z.string().nullable(), to: z.string().nullable() }),
})
const Removal = z.object({
  kind: z.literal('remove'),
  id: z.string(),
  version: z.string(),
  orphan: z.boolean().describe('Nobody asked for it, and nobody needs it any more.'),
})

/** What changes come to. */
export const PlanView = z
  .object({
    etag: z.string().describe('For `apply`: of the lock, and of what would become of it.'),
    pending: z.boolean().describe('Whether there is anything to do.'),
    steps: z.array(z.discriminatedUnion('kind', [Put, Removal])).describe('In the order in which they are done.'),
  })
  .openapi('InstallPlan')

/** Shows a plan. */
export function planView({ etag, steps }: InstallPlan, vocabulary: PermissionVocabulary): z.output<typeof PlanView> {
  return { etag, pending: steps.length > 0, steps: steps.map((step) => stepView(step, vocabulary)) }
}

/** Shows permissions in words; `vocabulary` holds the host's own. */
export function sentences(permissions: readonly string[], vocabulary: PermissionVocabulary): z.output<typeof SentenceView>[] {
  return [...describePermissions(permissions, vocabulary)]
}

/** Shows a verdict. */
export function verdictView({ ok, trust, publisher, rules }: InstallVerdict): z.output<typeof VerdictView> {
  return {
    ok,
    trust,
    publisher: publisher ?? null,
    rules: rules.map(({ rule, outcome, reason, file, fix }) => ({ rule, outcome, reason, file: file ?? null, fix: fix ?? null })),
  }
}

function stepView(step: InstallStep, vocabulary: PermissionVocabulary): z.output<typeof PlanView>['steps'][number] {
  if (step.kind === 'remove') {
    const { kind, id, version, isOrphan } = step
    return { kind, id, version, orphan: isOrphan }
  }
  const { kind, id, version, source, digest, permissions, license } = step
  const { added, removed, changed, required } = settingsChange(step.config.from, step.config.to)
  return {
    kind,
    id,
    version,
    from: step.from ?? null,
    needed_by: [...step.neededBy],
    source,
    digest,
    size_bytes: step.sizeBytes,
    verdict: verdictView(step.verdict),
    permissions: {
      asked: sentences(permissions.asked, vocabulary),
      withheld: [...permissions.withheld],
      unapproved: sentences(permissions.unapproved, vocabulary),
      dropped: [...permissions.dropped],
    },
    settings: { added: [...added], removed: [...removed], changed: [...changed], required: [...required] },
    license: { from: license.from ?? null, to: license.to ?? null },
  }
}
