"""Runs an OpenStack Keystone (Identity v3) in one private directory, on SQLite and a loopback port.

Usage: /usr/bin/python3 serve_keystone.py '{"root": "/tmp/x", "token_seconds": 3600}'

Prints one line of JSON when it answers, and ends when its standard input closes. Needs Debian's python3-keystone.
User admin, password admin, project admin, all in the domain Default; region RegionOne; no services registered yet.
"""
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

# The cache takes a hundred queries and a second of CPU off each token.
CONFIG = """\
[DEFAULT]
log_file = {root}/keystone.log
[database]
connection = sqlite:///{root}/keystone.db
[cache]
enabled = true
backend = dogpile.cache.memory
[token]
provider = fernet
expiration = {token_seconds}
allow_expired_window = 0
[fernet_tokens]
key_repository = {root}/keys
[fernet_receipts]
key_repository = {root}/keys
[credential]
key_repository = {root}/keys
[identity]
password_hash_algorithm = bcrypt
password_hash_rounds = 4
"""


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_args):
        pass


class BoundServer(WSGIServer):
    """One request at a time: SQLite answers `database is locked` to two writers."""

    def __init__(self, sock):
        super().__init__(sock.getsockname(), QuietHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = sock
        self.server_name, self.server_port = sock.getsockname()
        self.setup_environ()


def write_keys(directory):
    from cryptography.fernet import Fernet
    os.makedirs(directory, mode=0o700)
    for name in ('0', '1'):
        with open(os.path.join(directory, name), 'wb', opener=lambda p, f: os.open(p, f, 0o600)) as out:
            out.write(Fernet.generate_key())


def main():
    options = json.loads(sys.argv[1])
    root = options['root']
    sock = socket.socket()
    sock.bind(('127.0.0.1', 0))
    sock.listen(128)
    url = 'http://127.0.0.1:%d/v3' % sock.getsockname()[1]
    config = os.path.join(root, 'keystone.conf')
    with open(config, 'w') as out:
        out.write(CONFIG.format(root=root, token_seconds=options.get('token_seconds', 3600)))
    write_keys(os.path.join(root, 'keys'))

    def manage(*words):
        subprocess.run(['/usr/bin/keystone-manage', '--config-file', config, *words], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    manage('db_sync')
    manage('bootstrap', '--bootstrap-password', 'admin', '--bootstrap-region-id', 'RegionOne',
           '--bootstrap-public-url', url, '--bootstrap-internal-url', url, '--bootstrap-admin-url', url)
    # In rollback mode a session's open reader shuts out the commit of the next.
    sqlite3.connect(os.path.join(root, 'keystone.db')).execute('PRAGMA journal_mode=WAL')

    sys.argv = ['keystone', '--config-file', config]
    os.environ['OS_KEYSTONE_CONFIG_DIR'] = root
    os.environ['OS_KEYSTONE_CONFIG_FILES'] = config
    from keystone.server.wsgi import initialize_public_application
    server = BoundServer(sock)
    server.set_app(initialize_public_application())

    def end_with_parent():
        while os.read(0, 4096):
            pass
        shutil.rmtree(root, ignore_errors=True)
        os._exit(0)
    threading.Thread(target=end_with_parent, daemon=True).start()
    print(json.dumps({'url': url}), flush=True)
    server.serve_forever()


if __name__ == '__main__':
    main()
