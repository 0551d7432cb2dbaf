import type { AuditActor, AuditTrail } from '@backplane/kernel'
import type { InstallStep, PermissionAnswers, PluginInstalls } from './plugin-installs.ts'

/**
 * Writes down what installing did, which a request alone does not say: the packages that came and went, with digest and
 * source, and each permission that was approved or taken back, by whom.
 */
export function auditedInstalls(installs: PluginInstalls, trail: AuditTrail): PluginInstalls {
  return {
    ...installs,
    apply: async (order, work) => {
      const plan = await installs.apply(order, work)
      for (const step of plan.steps) noteStep(trail, step, actorOf(work.by))
      return plan
    },
    restore: async (work, ...more) => {
      const report = await installs.restore(work, ...more)
      for (const id of report.restored)
        note(trail, { actor: actorOf(work.by), action: 'package.restored', subject: id, plugin: id })
      return report
    },
    permit: async (plugin, permitted, by, work) => {
      let before = unanswered
      let after = unanswered
      const told: typeof permitted = (answers) => {
        before = answers
        after = permitted(answers)
        return after
      }
      await installs.permit(plugin, told, by, work)
      const about = { actor: actorOf(by), plugin: plugin.id }
      const noteEach = (action: string, subjects: readonly string[]): void => {
        for (const subject of subjects) note(trail, { ...about, action, subject })
      }
      noteEach('permission.approved', beyond(after.approved, before.approved))
      noteEach('permission.revoked', beyond(before.approved, after.approved))
      noteEach('permission.withheld', beyond(after.withheld, before.withheld))
      noteEach('permission.given-back', beyond(before.withheld, after.withheld))
    },
    deleteFiles: async (plugin) => {
      await installs.deleteFiles(plugin)
      const { id, version } = plugin
      note(trail, { actor: actorOf(undefined), action: 'package.files-deleted', subject: `${id} ${version}`, plugin: id })
    },
  }
}

const unanswered: PermissionAnswers = Object.freeze({ approved: [], withheld: [] })
const actions = { install: 'package.installed', update: 'package.updated', remove: 'package.removed' } as const

function noteStep(trail: AuditTrail, step: InstallStep, actor: AuditActor): void {
  const { kind, id, version } = step
  const about = { actor, action: actions[kind], subject: `${id} ${version}`, plugin: id }
  if (step.kind === 'remove') {
    note(trail, about)
    return
  }
  const { from, source, digest, verdict, permissions } = step
  const details = { source, digest, trust: verdict.trust, ...(from === undefined ? {} : { from }) }
  note(trail, { ...about, details })
  for (const subject of permissions.unapproved) note(trail, { actor, action: 'permission.approved', subject, plugin: id })
  for (const subject of permissions.withheld) note(trail, { actor, action: 'permission.withheld', subject, plugin: id })
  for (const subject of permissions.dropped) note(trail, { actor, action: 'permission.revoked', subject, plugin: id })
}

function note(trail: AuditTrail, entry: Omit<Parameters<AuditTrail['note']>[0], 'outcome'>): void {
  trail.note({ ...entry, outcome: 'ok' })
}

function actorOf(by: string | undefined): AuditActor {
  return by === undefined ? { kind: 'host', name: 'host' } : { kind: 'token', name: by }
}

function beyond(these: readonly string[], those: readonly string[]): readonly string[] {
  return these.filter((one) => !those.includes(one))
}
