import { didYouMean } from '@backplane/sdk'
import type { Command } from 'commander'
import { backplaneErrors } from '../errors.ts'
import type { NewToken, Token, TokenList } from '../host-answers.ts'
import { show, type Runner, type Session } from '../session.ts'
import { printable, printableLine, tableText } from '@backplane/terminal'
import { examples } from './examples.ts'

const scopes = ['read', 'operate', 'install', 'admin']

/** Units of `--expires`, ms. */
const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

interface CreateOptions {
  readonly scope: string
  readonly expires?: string
  readonly plugins?: string[]
}

/** Adds `tokens`. */
export function addTokens(program: Command, run: Runner): void {
  const tokens = program.command('tokens').description('list, make and revoke tokens for the API of a host')
  examples(tokens, ['tokens list', 'tokens create grafana --scope read --expires 90d', 'tokens revoke grafana'])
  const list = tokens.command('list', { isDefault: true }).description('list the tokens that were made by name')
  examples(list, ['tokens list', `tokens list --json | jq -r '.tokens[] | select(.expired) | .name'`])
  list.action(
    run(async (session) => {
      const answer = (await session.api().get('/api/tokens')) as TokenList
      show(session, answer, () => tokenTable(answer.tokens))
    }),
  )
  addCreate(tokens, run)
  const revoke = tokens.command('revoke <name>').description('refuse a token from now on, and end the streams it has open')
  examples(revoke, ['tokens revoke grafana'])
  revoke.action(
    run(async (session, name: string) => {
      await session.api().delete(`/api/tokens/${encodeURIComponent(name)}`)
      show(session, { revoked: name }, () => `${name} revoked\n`)
    }),
  )
}

function addCreate(tokens: Command, run: Runner): void {
  const create = tokens
    .command('create <name>')
    .description('make a token and print it, the only time it is shown')
    .option('--scope <scope>', `what it allows, each including those before it: ${scopes.join(', ')}`, scopeOf, 'read')
    .option('--expires <when>', 'after so long (90d, 12h, 30m) or at a time (2027-01-01T00:00:00Z); default: never', expiry)
    .option('--plugins <ids...>', 'only for these plugins: ids, or publisher/*; default: all, and the host itself')
  examples(
    create,
    [
      'tokens create grafana --scope read --expires 90d',
      `tokens create ci --scope install --plugins 'acme/*' hypersdk/libvirt > ci.token`,
      'tokens create backup --scope operate --json | jq -r .token',
    ],
    'Only the token goes to standard output; keep it in a file for yourself alone (umask 077), for --token-file.\nThe host keeps its digest: a token that is lost is revoked and made anew.',
  )
  create.action(run(createToken))
}

async function createToken(session: Session, name: string, { scope, expires, plugins }: CreateOptions): Promise<void> {
  const wanted = {
    name,
    scope,
    ...(expires === undefined ? {} : { expires_at: expires }),
    ...(plugins === undefined ? {} : { plugins }),
  }
  const answer = (await session.api().post('/api/tokens', wanted)) as NewToken
  show(session, answer, () => `${printable(answer.token)}\n`)
  if (session.json) return
  const until = answer.expires_at === null ? 'for good' : `until ${answer.expires_at}`
  const whom = answer.plugins === null ? '' : `, for ${answer.plugins.join(', ')}`
  const said = printableLine(`${answer.name} may ${answer.scope} ${until}${whom}.`)
  session.terminal.err(`${said} This is the only time the token is shown.\n`)
}

function tokenTable(tokens: readonly Token[]): string {
  return tableText(tokens, [
    ['NAME', ({ name }) => name],
    ['SCOPE', ({ scope }) => scope],
    ['PLUGINS', ({ plugins }) => plugins?.join(', ') ?? 'all'],
    ['CREATED', ({ created_at }) => created_at],
    ['EXPIRES', ({ expires_at, expired }) => (expired ? `${expires_at} (expired)` : (expires_at ?? 'never'))],
  ])
}

function scopeOf(text: string): string {
  if (scopes.includes(text)) return text
  const reason = `--scope ${text} is none of ${scopes.join(', ')}${didYouMean(text, scopes)}`
  throw backplaneErrors.error('BACKPLANE_USAGE', { reason })
}

/** The time in RFC 3339 that a duration from now, or a time, means. */
function expiry(text: string): string {
  const [, count, unit = ''] = /^(\d{1,6})([a-z])$/.exec(text) ?? []
  const afterMs = units[unit]
  const atMs = afterMs === undefined ? timeMs(text) : Date.now() + Number(count) * afterMs
  if (atMs > Date.now()) return new Date(atMs).toISOString()
  const reason = `--expires ${text} is neither a duration such as 90d, 12h or 30m nor a time to come such as 2027-01-01T00:00:00Z`
  throw backplaneErrors.error('BACKPLANE_USAGE', { reason })
}

/** Without an offset a time would mean another moment here than on the host. */
function timeMs(text: string): number {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN
}
