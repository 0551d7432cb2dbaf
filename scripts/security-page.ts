import type { HostileResult, RecordedCase } from '../scenarios/hostile/result-file.ts'
import type { TierName } from '../scenarios/hostile/stage/tiers.ts'

/*
 * docs/security.md: what each tier stops. The matrix is what a run of scenarios/hostile gave; the words around it are here.
 */

const tiers: readonly { readonly name: TierName; readonly head: string; readonly promise: string; readonly leaves: string }[] = [
  {
    name: 'os',
    head: 'confined, `os`',
    promise:
      'A plugin nobody trusts: a process in a sandbox of the operating system, with Node’s permission model inside it. The ' +
      'default for every plugin that does not ship with the host.',
    leaves:
      'Flaws of the kernel and of the processor (no sandbox on a shared kernel stops those). What it was granted: a plugin with a ' +
      'program may do with it whatever the sandbox allows, and granted network reaches what the grant says. ' +
      'Plugins that may write the same directory share what they put there, links too; of a host that is root, one may get the ' +
      'user id that another had before, and with it what that one left in such a directory. Its data ' +
      'directory is looked at twice a second, not at each write: in between it can hold more than it may. Where the machine has ' +
      'no control groups, memory, processor and processes are held less exactly; `backplane doctor` says so.',
  },
  {
    name: 'process',
    head: 'confined, `process`',
    promise:
      'A plugin that is not hostile but may be wrong, or whose author is known: a process of its own in Node’s permission model, ' +
      'with an empty environment. A seat belt, not a wall.',
    leaves:
      'Signals: it runs as the host’s user and may end the host. Files with the set-id bit in its own data. Limits of processor and ' +
      'open files are noticed and told, not held. Any program it was granted runs outside the permission model. Node’s ' +
      'permission model is not made to stop malicious code; its makers say so.',
  },
  {
    name: 'contained',
    head: 'contained',
    promise:
      'Code that may be wrong and is not hostile: a thread of the host. Its crash, its endless loop and its heap are its own.',
    leaves:
      'Everything else. It reads and writes the host’s files, reads the host’s environment and memory, starts programs, uses the ' +
      'network, loads native code and ends the host. Memory outside its heap is the host’s. Its environment variable list is empty, ' +
      'but `/proc` tells it the host’s.',
  },
  {
    name: 'trusted',
    head: 'trusted',
    promise: 'Code that is trusted like the host itself: it runs in the host’s own process, and nothing stands between them.',
    leaves:
      'Everything. That answers have their form, that a call has a deadline and that secrets are asked for are habits, not walls.',
  },
]

const words = { stopped: 'stopped', contained: 'contained', told: '**told**', open: '**not stopped**', down: '**host down**' }

const elsewhere = `## Not in this table

What attacks packages, signatures and interfaces instead of running is tried elsewhere or is still to come:

| cases | about | where |
|---|---|---|
| E01–E10 | archives, manifests and git sources made to escape or to exhaust | comes with installing packages; the directory source's own limits are tested in \`packages/sources\` |
| F01–F03 | signatures, extra files, frozen and rolled back metadata | comes with signatures |
| F04 | the spellings of an address, for a plugin *with* a network grant | \`packages/runtimes\`, with the way out that grants go through; without a grant it is in the table |
| G01–G03 | foreign pages, hostile ids, exhausted interfaces | \`packages/server\`, \`scenarios/the-daemon-answers-its-command-line\` |
| G04 | a secret in every place the daemon writes to | in the table for plugins; for the daemon \`scenarios/instances-see-only-their-own-credentials\` |

Out of scope: flaws of kernel and processor, a root attacker, a malicious operator of the host, hidden timing channels.
`

/** The page for one result. */
export function securityPage(result: HostileResult): string {
  const notes = result.cases.flatMap(({ id, note }) => (note === undefined ? [] : [`- **${id}** ${note}`]))
  return [
    introduction(result),
    '## What each tier promises, and what it leaves open\n',
    tiers.map(({ head, promise, leaves }) => `### ${head}\n\n${promise}\n\n*Leaves open:* ${leaves}\n`).join('\n'),
    `## The matrix\n\n| | a plugin that … | ${tiers.map(({ head }) => head).join(' | ')} |\n|---|---|${tiers.map(() => '---|').join('')}\n${result.cases.map(row).join('')}`,
    `${notes.join('\n')}\n`,
    tries(result),
    figuresOf(result),
    elsewhere,
  ].join('\n')
}

function introduction({ cases }: HostileResult): string {
  const tried = tiers.flatMap(({ name }) => cases.filter(({ tiers: verdicts }) => typeof verdicts[name] === 'string')).length
  return `# What the tiers stop

A plugin is somebody else's code. How much stands between it and the host is its *tier*, chosen by policy and never by the
plugin. ${cases.length} attacks are run as real plugins through a real kernel in every tier, ${tried} attempts in all; what came of them is the table below.
A tier that claims to stop an attack and does not fails the run, and so does a table that is not what the run gave.

Whether an attack came through is not asked of the plugin, wherever somebody else can tell: listeners outside count who comes,
files are looked for from outside, a secret is searched for in everything that was written, the host is asked for its health by
another process while the attack runs, and an innocent plugin of the same tier is called all the time.

| word | meaning |
|---|---|
| stopped | it got nothing |
| contained | the plugin was ended or held back; the host and the other plugins went on |
| **told** | it got more than it may, and an event names it and the limit |
| **not stopped** | it got what it wanted |
| **host down** | it ended the host, or made it stand still |
| – | not tried there; why is said below |

Made by \`npm run generate\` from \`scenarios/hostile/result.json\`, which \`BACKPLANE_HOSTILE_KEEP=1 npm test scenarios/hostile\` writes.
`
}

function row({ id, title, tiers: verdicts }: RecordedCase): string {
  const cells = tiers.map(({ name }) => {
    const verdict = verdicts[name]
    return typeof verdict === 'string' ? words[verdict] : '–'
  })
  return `| ${id} | ${title} | ${cells.join(' | ')} |\n`
}

/** What was not tried, and why. */
function tries({ cases }: HostileResult): string {
  const reasons = new Map<string, string[]>()
  for (const { id, tiers: verdicts } of cases) {
    for (const { name, head } of tiers) {
      const verdict = verdicts[name]
      if (typeof verdict === 'string') continue
      reasons.set(verdict.notTried, [...(reasons.get(verdict.notTried) ?? []), `${id} (${head})`])
    }
  }
  const lines = [...reasons].map(([reason, where]) => `- ${reason}: ${where.join(', ')}\n`)
  return `Not tried:\n\n${lines.join('')}`
}

function figuresOf({ figures }: HostileResult): string {
  const rows = tiers.flatMap(({ name, head }) => {
    const found = figures[name]
    if (found === undefined) return []
    const { quiet, attacked, health, failures } = found
    const ratio = (attacked.p50Ms / Math.max(0.1, quiet.p50Ms)).toFixed(1)
    return [
      `| ${head} | ${failures} of ${attacked.count} | ${quiet.p50Ms} → ${attacked.p50Ms} (${ratio} ×) | ${quiet.p99Ms} → ${attacked.p99Ms} | ${health.p50Ms}, ${health.p99Ms}, ${health.maxMs} |\n`,
    ]
  })
  const stopped = tiers.flatMap(({ name, head }) => {
    const found = figures[name]
    if (found === undefined || (name !== 'os' && name !== 'process')) return []
    return [
      `| ${head} | ${Object.entries(found.stoppedAfterMs)
        .map(([what, ms]) => `${what} ${ms} ms`)
        .join('; ')} |\n`,
    ]
  })
  return `## How everybody else fared meanwhile

Calls of the innocent plugin in a quiet host and, in the same run, while the attacks ran that the tier stops or contains; and how
long the host took to say that it is well, asked every 20 ms by another process. The figures are of one run on two cores that
two tiers and other work shared, and every attack's own start counts among them.

| tier | failed calls | p50, quiet → attacked, ms | p99, ms | health: p50, p99, most, ms |
|---|---:|---|---|---|
${rows.join('')}
From the call until the offender was ended, refused or named, whichever the kernel's event says first, in the same run. A loop
is first given up by its caller, here after 600 ms, and then asked twice whether it still answers; a plugin that is to stop has
one second, and is asked, signalled and killed after that.

| tier | |
|---|---|
${stopped.join('')}`
}
