import { definePlugin } from '@backplane/sdk'
import { cleanup, command, pluginEvent, postVfioBind, postVmShutdown } from '@exliar-vfio/points'
import { deliver } from './delivery.ts'
import { notifierErrors } from './errors.ts'
import { formatFor, messageBody, type MessageFormat } from './message-body.ts'
import { bindNotice, cleanupNotice, pluginNotice, shutdownNotice, testNotice, type Notice } from './notice.ts'
import { Outbox } from './outbox.ts'
import { originOf, webhookAddress } from './webhook-address.ts'

interface NotifierSettings {
  /** Absent: nothing is sent. */
  readonly webhook_url?: string
  readonly format: 'auto' | MessageFormat
  readonly events: readonly Notice['event'][]
  readonly plugin_events: readonly string[]
  readonly messages_per_minute: number
}

export default definePlugin<NotifierSettings>((scope) => {
  const { webhook_url: configured, format, events, plugin_events: types, messages_per_minute: perMinute } = scope.config

  const send = async (notice: Notice, signal: AbortSignal): Promise<void> => {
    if (configured === undefined) throw notifierErrors.error('NOTIFIER_NOT_CONFIGURED')
    const address = (): Promise<URL> => webhookAddress(configured, scope.secrets)
    const form = format === 'auto' ? formatFor(new URL(configured).hostname) : format
    await deliver({ address, origin: originOf(configured), body: messageBody(notice, form) }, signal)
  }

  const outbox = new Outbox({ send, perMinute, log: scope.log })
  scope.defer(() => outbox[Symbol.asyncDispose]())
  const tell = (notice: Notice): void => {
    if (configured !== undefined && (events.includes(notice.event) || notice.event === 'plugin-event')) outbox.put(notice)
  }

  scope.on(postVfioBind, 'notify', (device) => tell(bindNotice(device, Date.now())))
  scope.on(postVmShutdown, 'notify', (stats) => tell(shutdownNotice(stats, Date.now())))
  scope.on(cleanup, 'notify', ({ reason }) => tell(cleanupNotice(reason, Date.now())))
  scope.on(pluginEvent, 'notify', (event, call) => {
    if (types.includes(event.type)) tell(pluginNotice(event, call.caller, Date.now()))
  })

  scope.provide(command, 'notify-test', {
    run: async (_, call) => {
      await send(testNotice(Date.now()), call.signal)
      const origin = originOf(configured ?? '')
      return { text: `A message was sent to ${origin}.`, data: { origin } }
    },
  })
})
