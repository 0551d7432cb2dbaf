import { execFile } from 'node:child_process'

/**
 * Tells systemd about the daemon's state when it was started with `Type=notify` (`NotifyAccess=all`). Node has no
 * datagram sockets of the unix kind, so systemd's own program does it. Does nothing elsewhere. Source: sd_notify(3).
 */
export function notifySystemd(state: 'ready' | 'stopping' | 'reloading'): void {
  if (process.env['NOTIFY_SOCKET'] === undefined) return
  const message = { ready: 'READY=1', stopping: 'STOPPING=1', reloading: 'RELOADING=1' }[state]
  execFile('systemd-notify', [`--pid=${process.pid}`, message], { timeout: 5000 }, () => undefined)
}
