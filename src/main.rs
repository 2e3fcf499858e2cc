//! The process's entry: everything else is in the library.

fn main() -> std::process::ExitCode {
    xdoflow::cli::main()
}
