from storage.cli import main

main()
