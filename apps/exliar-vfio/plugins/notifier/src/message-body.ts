import type { Notice } from './notice.ts'

/** How a message is written. */
export type MessageFormat = 'json' | 'discord'

/** The body of the request. Source: Discord, "Execute Webhook" and "Embed Limits". */
export function messageBody(notice: Notice, format: MessageFormat): string {
  const { event, at, text, details } = notice
  if (format === 'json') return JSON.stringify({ source: 'exliar', event, at, text, details })
  const fields = Object.entries(details)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => ({ name: plain(name).slice(0, 256) || '-', value: fieldText(value), inline: true }))
  return JSON.stringify({
    username: 'Exliar',
    content: plain(text).slice(0, 2_000),
    embeds: [{ title: event, color: colors[event], timestamp: at, fields: fields.slice(0, 25) }],
    // Nobody is called, whatever a machine is named.
    allowed_mentions: { parse: [] },
  })
}

/** Discord's own form for Discord, JSON for everybody else. */
export function formatFor(hostname: string): MessageFormat {
  return /^(?:(?:ptb|canary)\.)?discord(?:app)?\.com$/.test(hostname) ? 'discord' : 'json'
}

const colors: Readonly<Record<Notice['event'], number>> = {
  'vfio-bind': 0x34_98_db,
  'vm-shutdown': 0x2e_cc_71,
  cleanup: 0xe6_7e_22,
  'plugin-event': 0x9b_59_b6,
  test: 0x95_a5_a6,
}

function fieldText(value: unknown): string {
  return plain(typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 1_024) || '-'
}

/** Text without a meaning for Discord: no emphasis, links or mentions. */
function plain(text: string): string {
  return text.replaceAll(/[\\*_~`|<>[\]()#@]/g, String.raw`\$&`)
}
