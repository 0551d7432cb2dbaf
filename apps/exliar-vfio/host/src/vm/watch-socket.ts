import { connect, createServer, type Server, type Socket } from 'node:net'
import { chmod, rm } from 'node:fs/promises'
import { z } from 'zod'

/** What the hook tells a watch. */
export const WatchNews = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('started'), at: z.string() }),
  z.object({ kind: z.literal('stopped'), at: z.string() }),
  /** `reason` as libvirt gave it, null where it gave none. */
  z.object({ kind: z.literal('released'), at: z.string(), reason: z.string().nullable() }),
])
export type WatchNews = z.output<typeof WatchNews>

const longestLine = 4096

/** Listens for news, one line for each connection, answered once `take` returned. The socket is its user's alone. */
export async function listenForNews(path: string, take: (news: WatchNews) => void): Promise<Server> {
  await rm(path, { force: true })
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.setTimeout(10_000, () => socket.destroy())
    readLine(socket, (line) => answer(socket, line, take))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  await chmod(path, 0o600)
  return server
}

function answer(socket: Socket, line: string, take: (news: WatchNews) => void): void {
  try {
    take(WatchNews.parse(JSON.parse(line)))
    socket.end('{"ok":true}\n')
  } catch {
    socket.end('{"ok":false}\n')
  }
}

/** Tells a watch; answers whether it heard. Never rejects. */
export async function tellWatch(path: string, news: WatchNews, timeoutMs: number): Promise<boolean> {
  const heard = Promise.withResolvers<boolean>()
  const socket = connect(path, () => socket.write(`${JSON.stringify(news)}\n`))
  const deadline = setTimeout(() => heard.resolve(false), timeoutMs)
  socket.on('error', () => heard.resolve(false))
  socket.on('close', () => heard.resolve(false))
  readLine(socket, (line) => heard.resolve(line === '{"ok":true}'))
  try {
    return await heard.promise
  } finally {
    clearTimeout(deadline)
    socket.destroy()
  }
}

function readLine(socket: Socket, take: (line: string) => void): void {
  let text = ''
  let isTaken = false
  socket.setEncoding('utf8').on('data', (part: string) => {
    if (isTaken) return
    text += part
    const end = text.indexOf('\n')
    if (end === -1 && text.length > longestLine) socket.destroy()
    if (end === -1) return
    isTaken = true
    take(text.slice(0, end))
  })
}
