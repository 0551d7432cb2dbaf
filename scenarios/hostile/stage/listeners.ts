import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'

/** What nobody was granted to reach, outside the host: it counts who comes. */
export class Listeners implements AsyncDisposable {
  readonly port: number
  readonly path: string
  readonly abstractName: string
  readonly #count: { reached: number }
  readonly #close: () => void

  private constructor(parts: Pick<Listeners, 'port' | 'path' | 'abstractName'>, count: { reached: number }, close: () => void) {
    this.port = parts.port
    this.path = parts.path
    this.abstractName = parts.abstractName
    this.#count = count
    this.#close = close
  }

  static async open(root: string): Promise<Listeners> {
    const count = { reached: 0 }
    const counting = (): Server =>
      createServer((socket) => {
        count.reached += 1
        socket.on('error', () => undefined)
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      })
    const [tcp, unix, abstract, udp] = [counting(), counting(), counting(), createSocket('udp4')]
    udp.on('message', () => (count.reached += 1))
    const path = join(root, 'socket')
    const abstractName = `backplane-hostile-${process.pid}-${root.slice(-6)}`
    await once(tcp.listen(0, '127.0.0.1'), 'listening')
    await once(unix.listen(path), 'listening')
    await once(abstract.listen(`\0${abstractName}`), 'listening')
    const { port } = tcp.address() as { port: number }
    udp.bind(port, '127.0.0.1')
    await once(udp, 'listening')
    const close = (): void => [tcp, unix, abstract, udp].forEach((one) => void one.close())
    return new Listeners({ port, path, abstractName }, count, close)
  }

  /** Connections and datagrams since the last time. */
  take(): number {
    const { reached } = this.#count
    this.#count.reached = 0
    return reached
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close()
    return Promise.resolve()
  }
}
