import dgram from 'node:dgram'
import dns from 'node:dns/promises'
import net from 'node:net'

/** Reaches for what is beside it. */
export const reach = {
  /** Every way to write the machine's own address, each with what it came to. */
  spellings: async ({ port }) => {
    const hosts = [
      '127.0.0.1',
      'localhost',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '0.0.0.0',
      '2130706433',
      '0x7f.1',
      '0177.0.0.1',
      '127.1',
      'localhost.',
      'LOCALHOST',
      'example.com@127.0.0.1',
      '127.0.0.1%00.example.com',
      '169.254.169.254',
    ]
    const outcomes = await Promise.all(
      hosts.map(async (host) => {
        try {
          const answer = await fetch(`http://${host}:${port}/`, { signal: AbortSignal.timeout(400), redirect: 'follow' })
          return `${host}: ${answer.status}`
        } catch {
          return undefined
        }
      }),
    )
    const sockets = await Promise.all(
      ['127.0.0.1', 'localhost', '::1', '0.0.0.0'].map((host) =>
        connected({ host, port }).then((so) => so && `${host}: connected`),
      ),
    )
    return [...outcomes, ...sockets].filter(Boolean)
  },
  /** Says something to the machine and to the world by datagrams and by names. */
  whisper: async ({ port }) => {
    const said = []
    await new Promise((resolve) => {
      try {
        const socket = dgram.createSocket('udp4').once('error', resolve)
        socket.send('whispered', port, '127.0.0.1', (error) => {
          if (!error) said.push('datagram')
          socket.close(resolve)
        })
      } catch {
        resolve()
      }
    })
    const found = await dns.lookup('localhost').catch(() => undefined)
    if (found !== undefined) said.push('name')
    return said
  },
  unixSocket: ({ path }) => connected({ path }),
  abstractSocket: ({ socketName }) => connected({ path: `\0${socketName}` }),
  /** Only what the host said is the host: a number that is wrong would hit somebody else. */
  signalHost: ({ pid, signal }) => process.kill(pid, signal),
  /** Everybody it can see, once it is certain that these are its own processes only. */
  signalAll: ({ pid, signal }) => {
    if (process.getuid() === 0 || process.pid > 50) return 'not tried: it is not in a sandbox'
    try {
      process.kill(pid, 0)
      return 'not tried: the host is in sight'
    } catch {
      process.kill(1, signal)
      process.kill(-1, signal)
      return new Promise(() => {})
    }
  },
}

function connected(options) {
  return new Promise((resolve) => {
    try {
      const socket = net.connect({ ...options, timeout: 400 })
      const done = (answer) => {
        socket.destroy()
        resolve(answer)
      }
      socket
        .on('connect', () => done(true))
        .on('error', () => done(false))
        .on('timeout', () => done(false))
    } catch {
      resolve(false)
    }
  })
}
