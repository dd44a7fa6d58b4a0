"""Runs a whole OpenStack Swift (proxy, account, container, object) in one private directory.

Usage: /usr/bin/python3 serve_swift.py '{"root": "/tmp/x", ...}'

Prints one line of JSON when the proxy answers, and ends, with everything it started and its directory, when its
standard input closes.
Needs Debian's python3-swift and no privileges: one replica, one device, loopback ports chosen by the kernel. The
sockets are bound before the rings name them, so that two servers never race for a port.

Options (all but `root` may be absent):
  root       directory for configuration, rings, data and the log
  settings   {"<section of proxy-server.conf>": {"<key>": value}}, laid over the defaults
  limits     {"<key of [swift-constraints]>": value}
  keystone   URL of a Keystone v3 that decides about tokens, in place of tempauth
  tls        {"cert": path, "key": path}
"""
import ctypes
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import sys
import time

# Eventlet patches locks that exist already by walking the whole heap: cheap now, a second of CPU after Swift's imports.
import eventlet.patcher
eventlet.patcher.monkey_patch(all=False, socket=True, select=True, thread=True)

BACKENDS = ('account', 'container', 'object')
FILTERS_BEFORE_AUTH = ('catch_errors', 'gatekeeper', 'healthcheck', 'proxy_logging', 'cache', 'listing_formats',
                       'bulk', 'tempurl', 'ratelimit', 's3api')
FILTERS_AFTER_AUTH = ('copy', 'container_quotas', 'account_quotas', 'slo', 'dlo', 'versioned_writes', 'symlink')
APPS = {'proxy': 'proxy-server', 'account': 'server', 'container': 'server', 'object': 'server'}
PR_SET_PDEATHSIG = 1


def listener():
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind(('127.0.0.1', 0))
    sock.listen(512)
    return sock


def write_config(path, sections):
    with open(path, 'w') as out:
        for section, values in sections.items():
            out.write('[%s]\n' % section)
            for key, value in values.items():
                out.write('%s = %s\n' % (key, value))
            out.write('\n')


def defaults(options, port):
    root = options['root']
    return {
        'bind_ip': '127.0.0.1', 'bind_port': port, 'workers': 0,
        'user': pwd.getpwuid(os.geteuid()).pw_name,
        'swift_dir': os.path.join(root, 'etc'), 'devices': os.path.join(root, 'srv'), 'mount_check': 'false',
        'log_level': 'INFO',
        # A busy machine is no reason to give up on the only replica.
        'conn_timeout': 15, 'node_timeout': 60, 'client_timeout': 60,
    }


def backend_config(options, kind, port):
    return {
        'DEFAULT': defaults(options, port),
        'pipeline:main': {'pipeline': 'server'},
        'app:server': {'use': 'egg:swift#' + kind, 'fallocate_reserve': 0, 'log_requests': 'false',
                       'container_update_timeout': 60},
    }


def proxy_config(options, port):
    keystone = options.get('keystone')
    auth = ('authtoken', 's3token', 'keystoneauth') if keystone else ('tempauth',)
    filters = FILTERS_BEFORE_AUTH + auth + FILTERS_AFTER_AUTH
    config = {
        'DEFAULT': defaults(options, port),
        'pipeline:main': {'pipeline': ' '.join(filters + ('proxy_logging', 'proxy-server'))},
        # s3api insists on this name.
        'app:proxy-server': {'use': 'egg:swift#proxy', 'account_autocreate': 'true',
                             'allow_account_management': 'true', 'recoverable_node_timeout': 60,
                             # Never shun the only node.
                             'error_suppression_limit': 1000000},
    }
    for name in filters:
        config['filter:' + name] = {'use': 'egg:swift#' + name}
    config['filter:cache'] = {'paste.filter_factory': 'memory_cache:filter_factory'}
    config['filter:s3api'].update({'location': 'us-east-1', 'dns_compliant_bucket_names': 'false',
                                   # Swift allows 1000 unless told otherwise; S3 itself allows 10,000.
                                   'max_upload_part_num': 10000, 'max_parts_listing': 10000})
    config['filter:versioned_writes'].update({'allow_versioned_writes': 'true', 'allow_object_versioning': 'true'})
    if keystone:
        config['filter:authtoken'] = {
            'paste.filter_factory': 'keystonemiddleware.auth_token:filter_factory',
            'www_authenticate_uri': keystone, 'auth_url': keystone, 'auth_type': 'password',
            'username': 'admin', 'password': 'admin', 'project_name': 'admin',
            'user_domain_id': 'default', 'project_domain_id': 'default',
            'delay_auth_decision': 'true', 'cache': 'swift.cache', 'include_service_catalog': 'false',
            'service_token_roles_required': 'true',
        }
        config['filter:s3token']['auth_uri'] = keystone
        config['filter:keystoneauth'].update({'operator_roles': 'admin, member'})
    else:
        config['filter:tempauth'].update({
            'user_admin_admin': 'admin .admin .reseller_admin',
            'user_test_tester': 'testing .admin',
            'user_test2_tester2': 'testing2 .admin',
        })
    for section, values in options.get('settings', {}).items():
        config.setdefault(section, {}).update(values)
    return config


def write_rings(etc, ports):
    from swift.common.ring import RingBuilder
    for kind in BACKENDS:
        builder = RingBuilder(part_power=4, replicas=1, min_part_hours=1)
        builder.add_dev({'region': 1, 'zone': 1, 'weight': 1.0, 'device': 'd1', 'meta': '',
                         'ip': '127.0.0.1', 'port': ports[kind],
                         'replication_ip': '127.0.0.1', 'replication_port': ports[kind]})
        builder.rebalance(seed=7)
        builder.get_ring().save(os.path.join(etc, kind + '.ring.gz'))


def load_swift(etc):
    """Imports Swift once, before the forks, bound to our swift.conf in place of /etc/swift/swift.conf."""
    import logging
    from swift.common import utils
    utils.eventlet_monkey_patch()
    utils.SWIFT_CONF_FILE = os.path.join(etc, 'swift.conf')
    utils.validate_configuration()
    from swift.common import constraints, storage_policy
    constraints.reload_constraints()
    storage_policy.reload_storage_policies()

    class NoSyslog(logging.NullHandler):
        LOG_LOCAL0 = 0

        def __init__(self, *_args, **_kwargs):
            super().__init__()
    utils.ThreadSafeSysLogHandler = NoSyslog
    import swift.account.server  # noqa: F401
    import swift.container.server  # noqa: F401
    import swift.obj.server  # noqa: F401
    import swift.proxy.server  # noqa: F401


def run_server(config_file, kind, sock, tls):
    """Serves one app on a bound socket, for ever."""
    import eventlet
    from eventlet.greenio import GreenSocket
    from swift.common import utils, wsgi
    from swift.obj import server as object_server
    eventlet.hubs.use_hub(utils.get_hub())
    conf = wsgi.appconfig(config_file, name=APPS[kind])
    logger = utils.get_logger(conf, kind, log_to_console=True, log_route='wsgi')
    global_conf = {'log_name': kind}
    if kind == 'object':
        object_server.global_conf_callback(conf, global_conf)
        utils.FALLOCATE_RESERVE, utils.FALLOCATE_IS_PERCENT = utils.config_fallocate_value('0')
    green = GreenSocket(sock)
    if tls:
        green = eventlet.wrap_ssl(green, certfile=tls['cert'], keyfile=tls['key'], server_side=True)
    wsgi.run_server(conf, logger, green, global_conf=global_conf)


def fork_server(config_file, kind, sock, tls):
    child = os.fork()
    if child:
        return child
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        run_server(config_file, kind, sock, tls)
    except BaseException:
        import traceback
        traceback.print_exc()
    finally:
        os._exit(1)


def answers(port, tls):
    try:
        if tls:
            connection = http.client.HTTPSConnection('127.0.0.1', port, timeout=5,
                                                     context=ssl._create_unverified_context())
        else:
            connection = http.client.HTTPConnection('127.0.0.1', port, timeout=5)
        connection.request('GET', '/healthcheck')
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def main():
    options = json.loads(sys.argv[1])
    root = options['root']
    tls = options.get('tls')
    etc, log = os.path.join(root, 'etc'), os.path.join(root, 'swift.log')
    os.makedirs(etc)
    os.makedirs(os.path.join(root, 'srv', 'd1'))
    # The proxy's configuration names memory_cache as a module.
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

    sockets = {kind: listener() for kind in ('proxy',) + BACKENDS}
    ports = {kind: sock.getsockname()[1] for kind, sock in sockets.items()}
    write_config(os.path.join(etc, 'swift.conf'), {
        'swift-hash': {'swift_hash_path_prefix': 'diskferry', 'swift_hash_path_suffix': 'diskferry'},
        'storage-policy:0': {'name': 'only', 'default': 'yes'},
        'swift-constraints': options.get('limits', {}),
    })
    files = {kind: os.path.join(etc, kind + '.conf') for kind in sockets}
    for kind in BACKENDS:
        write_config(files[kind], backend_config(options, kind, ports[kind]))
    write_config(files['proxy'], proxy_config(options, ports['proxy']))
    load_swift(etc)
    write_rings(etc, ports)

    # The line for our parent goes to its pipe; all that Swift prints goes to the log.
    announce = os.dup(1)
    log_file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log_file, 1)
    os.dup2(log_file, 2)
    children = {fork_server(files[kind], kind, sockets[kind], tls if kind == 'proxy' else None): kind
                for kind in sockets}

    def end(code):
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        os._exit(code)

    while not answers(ports['proxy'], tls):
        if os.waitpid(-1, os.WNOHANG)[0]:
            end(1)
        time.sleep(0.05)
    os.write(announce, (json.dumps({
        'url': '%s://127.0.0.1:%d' % ('https' if tls else 'http', ports['proxy']),
        'pids': {kind: child for child, kind in children.items()},
    }) + '\n').encode())
    while os.read(0, 4096):
        pass
    # Also when our parent was killed and cannot do it.
    shutil.rmtree(root, ignore_errors=True)
    end(0)


if __name__ == '__main__':
    main()
