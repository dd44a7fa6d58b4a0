"""What Swift wants of memcached, in the proxy's own memory: there is one proxy, so nothing needs sharing."""
import json
import time as clock


class MemoryCache:
    """Values go through JSON, as they would on the way to memcached, so that no caller shares an object."""

    def __init__(self):
        self._entries = {}

    def get(self, key, raise_on_error=False):
        text, expires = self._entries.get(key, (None, None))
        if text is None or (expires and expires <= clock.time()):
            self._entries.pop(key, None)
            return None
        return json.loads(text)

    def set(self, key, value, serialize=True, time=0, **_more):
        if isinstance(value, bytes):  # keystonemiddleware's tokens
            value = value.decode('utf-8')
        self._entries[key] = (json.dumps(value), clock.time() + time if time else None)

    def incr(self, key, delta=1, time=0):
        value = max(0, int(self.get(key) or 0) + int(delta))
        self.set(key, value, time=time)
        return value

    def decr(self, key, delta=1, time=0):
        return self.incr(key, -int(delta), time)

    def delete(self, key, server_key=None):
        self._entries.pop(key, None)

    def set_multi(self, mapping, server_key, serialize=True, time=0, **_more):
        for key, value in mapping.items():
            self.set(key, value, time=time)

    def get_multi(self, keys, server_key):
        return [self.get(key) for key in keys]


def filter_factory(_global_conf, **_local_conf):
    cache = MemoryCache()

    def wrap(app):
        def serve(env, start_response):
            env['swift.cache'] = cache
            return app(env, start_response)
        return serve
    return wrap
