"""ClickHouse: the user's own server program if there is one, else the server that lives in its embedded library."""

import hashlib
import shutil
import sys
from pathlib import Path
from xml.sax.saxutils import escape

import requests

from deploy.local import clickhouse_library
from deploy.local.downloads import CLICKHOUSE
from deploy.local.stack import Part, Stack, write_file
from millrace.names import GOLD, LIVE, OPS, REALTIME
from millrace.settings import Settings

CONFIG = """<clickhouse>
  <path>{data}/</path>
  <tmp_path>{data}/tmp/</tmp_path>
  <user_files_path>{data}/user_files/</user_files_path>
  <listen_host>{host}</listen_host>
  <http_port>{http_port}</http_port>
  <tcp_port>{tcp_port}</tcp_port>
  <users_config>{users}</users_config>
  <timezone>UTC</timezone>
  <logger><level>warning</level><console>1</console><console_log_level>warning</console_log_level></logger>
  <prometheus>
    <endpoint>/metrics</endpoint>
    <metrics>true</metrics>
    <events>true</events>
    <asynchronous_metrics>true</asynchronous_metrics>
  </prometheus>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <mark_cache_size>134217728</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <background_pool_size>4</background_pool_size>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_move_pool_size>1</background_move_pool_size>
</clickhouse>
"""

# The embedded server opens its ports from a local session of `default`, which must therefore be able to log in
# without a password; so it may open ports, and nothing else.
USERS = """<clickhouse>
  <profiles>
    <default>
      <async_insert>0</async_insert>
      <date_time_input_format>best_effort</date_time_input_format>
    </default>
    <readonly><readonly>2</readonly><max_memory_usage>1000000000</max_memory_usage></readonly>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <no_password/>
      <networks><ip>::1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants><query>GRANT SYSTEM LISTEN ON *.*</query></grants>
    </default>
    <{user}>
      <password_sha256_hex>{password}</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
    </{user}>
    <dashboard>
      <password_sha256_hex>{dashboard_password}</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>readonly</profile>
      <quota>default</quota>
      <grants>{grants}</grants>
    </dashboard>
  </users>
</clickhouse>
"""


def server_config(settings: Settings, data: Path, users: Path) -> str:
    return CONFIG.format(
        data=escape(str(data)),
        users=escape(str(users)),
        host=settings.host,
        http_port=settings.clickhouse_http_port,
        tcp_port=settings.clickhouse_tcp_port,
        memory=settings.clickhouse_memory,
    )


def users_config(settings: Settings) -> str:
    """`millrace` may do everything; `dashboard` reads what people look at, and cannot write."""
    grants = "".join(f"<query>GRANT SELECT ON {database}.*</query>" for database in (LIVE, REALTIME, GOLD, OPS))
    return USERS.format(
        user=settings.clickhouse_user,
        password=_sha256(settings.clickhouse_password.get_secret_value()),
        dashboard_password=_sha256(settings.dashboard_password.get_secret_value()),
        grants=grants,
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def clickhouse_server(stack: Stack) -> Part:
    s = stack.settings
    data, conf = stack.state / "clickhouse", stack.conf / "clickhouse"
    own = shutil.which("clickhouse")

    def prepare() -> None:
        data.mkdir(parents=True, exist_ok=True)
        write_file(conf / "config.xml", server_config(s, data, conf / "users.xml"), mode=0o600)
        write_file(conf / "users.xml", users_config(s), mode=0o600)

    library = stack.downloads / CLICKHOUSE / clickhouse_library.LIBRARY
    embedded = (sys.executable, "-m", "deploy.local.embedded_clickhouse", str(library), str(conf / "config.xml"))
    return Part(
        name="clickhouse",
        address=s.clickhouse_url,
        command=(own, "server", f"--config-file={conf / 'config.xml'}") if own else embedded,
        ports={"clickhouse_http_port": s.clickhouse_http_port, "clickhouse_tcp_port": s.clickhouse_tcp_port},
        downloads=() if own else (CLICKHOUSE,),
        external="clickhouse_host" if stack.is_external("clickhouse_host") else "",
        prepare=prepare,
        check=lambda: check(s),
        stop_seconds=20,
    )


def check(settings: Settings) -> None:
    """Run a query as the user that Millrace works as."""
    headers = {
        "X-ClickHouse-User": settings.clickhouse_user,
        "X-ClickHouse-Key": settings.clickhouse_password.get_secret_value(),
    }
    answer = requests.post(
        settings.clickhouse_url, data="SELECT 1", headers=headers, timeout=3, verify=settings.clickhouse_ca or True
    )
    answer.raise_for_status()
