import subprocess
import sys


def test_ffmpeg_is_found_without_being_run() -> None:
    """Run for a look only, and killed in that moment, it would be missing for the rest of the process."""
    code = (
        "import sys; started = []; sys.addaudithook(lambda name, _: started.append(name));"
        "from bhiv import ffmpeg; assert ffmpeg.executable();"
        "print([name for name in started if name.startswith(('subprocess', 'os.posix_spawn', 'os.exec'))])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"
