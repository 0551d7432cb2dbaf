import { describePermissions, type Kernel, type PluginRecord } from '@backplane/kernel'
import { listText, printable } from '@backplane/terminal'
import { permissions as vocabulary } from '@exliar-vfio/points'
import { exliarErrors } from '../../errors.ts'
import type { ListedPlugin } from '../listed-plugins.ts'
import { reasonOf } from '../plugin-reason.ts'
import type { Session } from '../session.ts'

/** The plugins of the kernel. */
export async function directory(session: Session): Promise<Kernel['plugins']> {
  return (await session.plugins()).kernel.plugins
}

/** Errors: `PLUGIN_NOT_THERE`. */
export async function recordOf(session: Session, id: string): Promise<PluginRecord> {
  const plugins = await directory(session)
  const found = plugins.get(id)
  if (found === undefined) {
    throw exliarErrors.error('PLUGIN_NOT_THERE', {
      plugin: id,
      known: plugins
        .list()
        .map((one) => one.id)
        .join(', '),
    })
  }
  return found
}

/** A plugin as `--json` has it. */
export function asJson(record: ListedPlugin): Readonly<Record<string, unknown>> {
  const { id, version, origin, path, state, manifest, notes, trust } = record
  return {
    id,
    version,
    origin,
    path,
    state: state.name,
    reason: reasonOf(record),
    description: manifest?.description ?? null,
    permissions: manifest?.permissions ?? [],
    contributes: manifest?.contributes ?? {},
    trust: trust ?? null,
    notes,
  }
}

/** Shows one plugin. */
export function show(session: Session, record: ListedPlugin): void {
  const asked = describePermissions(record.manifest?.permissions ?? [], vocabulary)
  session.show(asJson(record), () => {
    const filled = Object.entries(record.manifest?.contributes ?? {}).map(
      ([point, names]) => `${point}: ${Object.keys(names).join(', ')}`,
    )
    return (
      listText([
        ['plugin', record.id],
        ['version', record.version],
        ['state', `${record.state.name} ${reasonOf(record)}`.trim()],
        ['what', record.manifest?.description],
        ['path', record.path],
        ...filled.map((line): [string, string] => ['fills', line]),
        ...record.notes.map((note): [string, string] => ['note', note]),
      ]) +
      asked.map(({ risk, sentence }) => printable(`It may ${sentence} (${risk} risk).`)).join('\n') +
      (asked.length > 0 ? '\n' : '')
    )
  })
}
