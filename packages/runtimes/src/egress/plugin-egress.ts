import type { HostLink, StartRequest } from '@backplane/kernel'
import { runtimeErrors } from '../errors.ts'
import type { GuestBody } from '../session-link/guest-body.ts'
import { parseAuthority } from './authority.ts'
import { serveEgress, type Broker } from './broker.ts'
import type { EgressOptions } from './egress-options.ts'
import { egressDescriptor, type EgressStart } from './egress-words.ts'

/** The way to the network of one plugin that was granted some of it. */
export interface PluginEgress {
  /** What its guest is told. */
  readonly start: EgressStart
  readonly granted: ReadonlySet<string>
}

/** Reads the grants; undefined without any. Errors: `EGRESS_GRANT_INVALID`, and those of `credentials`. */
export async function pluginEgress(
  { plugin, grants }: StartRequest,
  { credentials }: EgressOptions,
): Promise<PluginEgress | undefined> {
  if (grants.net.length === 0) return undefined
  const granted = new Set(grants.net.map((grant) => grantedText(grant, plugin.id)))
  const asked = [...granted].map(async (authority) => {
    const headers = await credentials?.({ plugin: plugin.id, authority })
    return headers === undefined ? [] : [authority]
  })
  return { granted, start: { descriptor: egressDescriptor, attached: (await Promise.all(asked)).flat() } }
}

/** Joins a body to the network as far as its plugin was granted; one without grants loses its way there. */
export function joinEgress(
  body: GuestBody,
  egress: PluginEgress | undefined,
  { plugin, host, options }: { readonly plugin: string; readonly host: HostLink; readonly options: EgressOptions },
): Broker | undefined {
  const { egress: socket } = body
  if (egress === undefined) socket?.destroy()
  if (egress === undefined || socket === undefined) return undefined
  const broker = serveEgress({
    socket,
    plugin,
    options,
    granted: egress.granted,
    violated: host.violated,
    used: host.used,
    broken: (reason) =>
      host.log({
        level: 'warn',
        message: `spoke something else than HTTP/2 on its way to the network, which is closed: ${reason}`,
      }),
  })
  void body.ended.then(() => broker[Symbol.dispose]())
  return broker
}

function grantedText(grant: string, plugin: string): string {
  const authority = parseAuthority(grant)
  if (authority === undefined) throw runtimeErrors.error('EGRESS_GRANT_INVALID', { plugin, grant }, { plugin })
  return authority.text
}
