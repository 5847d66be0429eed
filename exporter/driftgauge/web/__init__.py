"""The HTTP side of the exporter: what is answered, to whom and where.

Nothing here knows MLflow, models or statistics: the pages come through the `Exporter` protocol of `app` as bytes and
plain values.

app          the routes; `negotiation` says in which format, `status` and the template what a person sees
server       the application on its sockets, until it is told to stop
listening    addresses, and the sockets of systemd
accepting    each connection by the TLS rules of its moment
connections  deadlines, and who is closed when there are too many
webconfig    the file with TLS, users and headers; `tls` makes contexts of it
access       who may read the pages; `throttling` says how fast logins may fail, `checks` whose password is checked next
"""
