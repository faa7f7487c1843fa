"""An application with an SDK: ``sdk_app.py sentry DSN`` or ``sdk_app.py otlp URL KEY``."""

import logging
import sys


def rate(total, count):
    return total / count


def main():
    try:
        rate(10, 0)
    except ZeroDivisionError as error:
        raise ValueError("no rating") from error


def handle(report):
    try:
        main()
    except ValueError:
        report()


def use_sentry(dsn):
    import sentry_sdk

    sentry_sdk.init(
        dsn=dsn,
        release="abc123",
        environment="staging",
        traces_sample_rate=1.0,
        include_local_variables=False,
    )
    with sentry_sdk.start_transaction(name="checkout"):
        logging.getLogger("shop").warning("about to rate")
        handle(sentry_sdk.capture_exception)
    sentry_sdk.capture_message("just words", level="error")
    sentry_sdk.capture_message("no trouble", level="info")
    sentry_sdk.flush()


def use_otlp(url, key):
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import Resource

    named = {"service.name": "shop", "service.version": "abc123", "deployment.environment": "staging"}
    provider = LoggerProvider(resource=Resource.create(named))
    exporter = OTLPLogExporter(endpoint=url, headers={"x-api-key": key}, compression=Compression.Gzip)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    log = logging.getLogger("shop")
    log.addHandler(LoggingHandler(logger_provider=provider))
    log.setLevel("INFO")
    log.info("all is well")
    handle(lambda: log.exception("request %s failed", 7))
    provider.force_flush()
    provider.shutdown()


if __name__ == "__main__":
    {"sentry": use_sentry, "otlp": use_otlp}[sys.argv[1]](*sys.argv[2:])
