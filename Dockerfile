# The full image has the compiler that gunicorn's C parser takes.
FROM python:3.13-trixie AS build
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON=/usr/local/bin/python
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /app
# First what changes seldom.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --group fast --no-install-project
COPY README.md LICENSE ./
COPY tasks_api tasks_api
COPY service service
RUN uv sync --frozen --no-dev --group fast

FROM python:3.13-slim-trixie
RUN useradd --system --uid 10001 --no-create-home app
WORKDIR /app
COPY --from=build /app /app
# Of the sample tasks only these two: the others sleep, fail or write e-mails as a client likes.
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TASKS_API_TASKS=service.tasks.say_hello,service.tasks.add
USER 10001
EXPOSE 8000
CMD ["gunicorn", "--config", "service/gunicorn.conf.py", "service.wsgi"]
